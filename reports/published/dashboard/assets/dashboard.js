"use strict";
(() => {
  document.documentElement.classList.add("js");

  // Lines of a page share what is said of each commit; here, before they are drawn, each point gets its own.
  const block = document.getElementById("drawings");
  const { commits, ...drawings } = JSON.parse(block.textContent);
  for (const picture of Object.values(drawings).flat()) {
    for (const trace of picture.figure.data) {
      if (trace.meta?.commits) trace.customdata = trace.x.map((place) => commits[place]);
    }
  }
  block.textContent = JSON.stringify(drawings);

  const form = document.querySelector("form.filters");
  if (form) {
    const items = [...document.querySelectorAll("#rows tbody tr")].map((row) => {
      const values = JSON.parse(row.dataset.values);
      return { row, values, text: row.querySelector("th").textContent.toLowerCase() + " " + values.kind };
    });
    const said = form.querySelector("output");
    const chosen = [...form.querySelectorAll("select")];
    const filter = () => {
      const words = form.elements.text.value.toLowerCase().split(/\s+/).filter(Boolean);
      let left = 0;
      for (const { row, values, text } of items) {
        const fits = chosen.every((select) => !select.value
          || (select.name === "moved" ? values.moved.includes(select.value) : values[select.name] === select.value));
        row.hidden = !(fits && words.every((word) => text.includes(word)));
        left += row.hidden ? 0 : 1;
      }
      said.textContent = `${left} of ${items.length}`;
    };
    form.hidden = false;
    form.addEventListener("input", filter);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => setTimeout(filter));
    filter();
  }

  // A heading that sorts is a button, so that the keyboard reaches it; what has no key stays at the end either way.
  for (const head of document.querySelectorAll("th[data-sort]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const place = head.cellIndex;
      const down = head.getAttribute("aria-sort") === "ascending";
      const body = head.closest("table").tBodies[0];
      const key = (row) => row.cells[place].dataset.key;
      const order = head.dataset.sort === "number"
        ? (a, b) => Number(a) - Number(b)
        : (a, b) => a.localeCompare(b, "en", { numeric: true });
      const rows = [...body.rows];
      rows.sort((a, b) => {
        const [x, y] = [key(a), key(b)];
        if (!x || !y) return (x ? 0 : 1) - (y ? 0 : 1);
        return down ? order(y, x) : order(x, y);
      });
      for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      body.append(...rows);
    });
  }
})();
