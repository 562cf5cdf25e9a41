"use strict";
// The table of all verdicts: loaded when its place comes near, built by Tabulator, filtered by plain form controls.
(() => {
  const { assets, load, data, unpacked } = window.hippoReport;
  const place = document.getElementById("table");
  const form = place.querySelector("form");
  const said = place.querySelector(".said");
  const chosen = place.querySelector(".chosen");

  const FILTERS = { status: "Status", target: "Target", check: "Check", measure: "Measure", rule: "Rule", level: "Level", dtype: "Arithmetic", order: "N", suite: "Suite", since: "Since then" };
  const COLUMNS = [
    ["status", "status"], ["target", "target"], ["check", "check"], ["level", "level"], ["measure", "measure"], ["rule", "rule"],
    ["dtype", "dtype"], ["order", "N"], ["ratio", "error ÷ bound"], ["error", "error"], ["bound", "bound"], ["compared", "compared"],
    ["since", "since then"], ["line", "line"],
  ];
  const SEARCHED = ["target", "check", "level", "measure", "rule", "dtype", "status", "message", "place", "source"];

  const made = (tag, fields = {}, ...inside) => {
    const element = Object.assign(document.createElement(tag), fields);
    element.append(...inside);
    return element;
  };
  const number = (value) => {
    if (value === null || value === undefined) return "–";
    return value === 0 || (Math.abs(value) >= 1e-3 && Math.abs(value) < 1e4) ? String(value) : value.toExponential();
  };
  const badge = (word) => made("span", { className: `badge ${word.replaceAll(" ", "-")}`, textContent: word });
  const link = (finding) => {
    const page = Math.ceil(finding / assets.per_page);
    return made("a", { href: `${page === 1 ? "" : `failures-${page}.html`}#finding-${finding}`, textContent: `Finding ${finding.toLocaleString("en")}: evidence, and the command that asks again` });
  };

  const rowsOf = (content) => {
    const texts = Object.entries(content.texts);
    const numbers = Object.entries(content.numbers);
    let line = 0;
    return Array.from({ length: content.count }, (_, index) => {
      const row = { id: index };
      for (const [name, { values, codes }] of texts) row[name] = values[codes[index]];
      for (const [name, values] of numbers) row[name] = values[index];
      row.finding = content.findings[index];
      line += content.lines[index];
      row.line = line;
      return row;
    });
  };

  const details = (row, content) => {
    const facts = [
      ["claim", content.claims[row.check]], ["message", row.message], ["worst at", row.place],
      ["error", number(row.error)], ["bound", `${number(row.bound)}${row.source ? ` (${row.source})` : ""}`], ["error ÷ bound", number(row.ratio)],
      ["numbers compared", row.compared.toLocaleString("en")], ["took", `${number(row.seconds)} s`],
      ["since then", row.since], ["line of the store", row.line.toLocaleString("en")],
    ].filter(([, value]) => value);
    const list = made("dl", { className: "evidence" });
    for (const [name, value] of facts) list.append(made("dt", { textContent: name }), made("dd", { textContent: value }));
    const title = made("h3", {}, badge(row.status), ` ${row.target}, ${row.check}: ${row.measure}, N = ${row.order}, ${row.rule === "–" ? "" : `${row.rule}, `}${row.level}, ${row.dtype}`);
    return [title, list, ...(row.finding ? [made("p", {}, link(row.finding))] : [])];
  };

  const hover = (row) => {
    const lines = [
      `${row.status}: error ${number(row.error)}, bound ${number(row.bound)}`, row.place && `worst at ${row.place}`,
      row.message && (row.message.length > 300 ? `${row.message.slice(0, 300)}…` : row.message), row.finding && `finding ${row.finding}`,
    ].filter(Boolean);
    return made("div", { className: "hover" }, ...lines.map((line) => made("div", { textContent: line })));
  };

  // As wide as the longest of its texts, within reason: a width that does not jump while one scrolls.
  const width = (name, title, content) => {
    const column = content.texts[name];
    const longest = column ? Math.max(...column.values.map((value) => value.length)) : name === "order" ? 4 : 10;
    const room = name === "status" ? 44 : 22;
    return Math.min(Math.max(longest * 7.4 + room, title.length * 8.4 + 52), 240);
  };

  const columnsOf = (content) => {
    const severity = (word) => content.severity.indexOf(word);
    const usual = {
      status: { formatter: (cell) => badge(cell.getValue()), sorter: (a, b) => severity(a) - severity(b) },
    };
    return COLUMNS.filter(([name]) => name === "line" || name in content.texts || name in content.numbers).map(([field, title]) => {
      const numeric = field === "line" || field in content.numbers;
      return {
        field, width: width(field, title, content), hozAlign: numeric ? "right" : "left", headerHozAlign: numeric ? "right" : "left",
        title, titleFormatter: () => made("button", { type: "button", textContent: title }),
        headerSortStartingDir: ["ratio", "error"].includes(field) ? "desc" : "asc",
        formatter: (cell) => (numeric && field !== "line" && field !== "compared" ? number(cell.getValue()) : document.createTextNode(cell.getValue() ?? "")),
        sorter: numeric ? "number" : "string", sorterParams: numeric ? { alignEmptyValues: "bottom" } : { locale: "en" },
        ...usual[field],
      };
    });
  };

  const selects = (content) => {
    const named = {};
    for (const [name, title] of Object.entries(FILTERS)) {
      const values = name === "order" ? [...new Set(content.numbers.order)].sort((a, b) => a - b) : content.texts[name]?.values.filter(Boolean) ?? [];
      if (values.length < 2 && name !== "since") continue;
      if (!values.length) continue;
      const ordered = name === "status" ? content.severity.filter((word) => values.includes(word)) : values;
      const select = made("select", { name }, new Option("all", ""), ...ordered.map((value) => new Option(value, value)));
      form.append(made("label", {}, made("span", { textContent: title }), select));
      named[name] = select;
    }
    const search = made("input", { type: "search", name: "text", placeholder: "words in any of the texts" });
    form.append(made("label", {}, made("span", { textContent: "Text" }), search), made("button", { type: "reset", textContent: "Show all" }));
    return { named, search };
  };

  const start = async () => {
    said.textContent = "Loading …";
    place.hidden = false;
    const [packed] = await Promise.all([data("verdicts", assets.verdicts), load(assets.tabulator)]);
    const content = await unpacked(packed);
    const rows = rowsOf(content);
    const { named, search } = selects(content);
    let current = null;
    const table = new Tabulator(place.querySelector(".grid"), {
      data: rows, columns: columnsOf(content), height: "34rem", layout: "fitColumns", layoutColumnsOnNewData: false,
      columnDefaults: { tooltip: (_, cell) => hover(cell.getData()), resizable: "header", minWidth: 40 },
      rowFormatter: (row) => {
        const mine = row.getData().id === current;
        row.getElement().classList.toggle("current", mine);
        row.getElement().setAttribute("aria-selected", String(mine));
      },
      placeholder: "No verdict is like that.",
    });
    await new Promise((ready) => { table.on("tableBuilt", ready); });

    const tell = () => {
      const left = table.getDataCount("active");
      said.textContent = left === rows.length ? `${rows.length.toLocaleString("en")} verdicts` : `${left.toLocaleString("en")} of ${rows.length.toLocaleString("en")} verdicts`;
    };
    const filter = () => {
      const wanted = Object.entries(named).filter(([, select]) => select.value !== "").map(([name, select]) => [name, select.value]);
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      table.setFilter((row) => wanted.every(([name, value]) => String(row[name]) === value)
        && (!words.length || ((text) => words.every((word) => text.includes(word)))(SEARCHED.map((name) => row[name]).join("\n").toLowerCase())));
      tell();
    };
    let waiting = 0;
    form.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(filter, 120); });
    form.addEventListener("reset", () => setTimeout(filter));
    form.addEventListener("submit", (event) => event.preventDefault());
    // Other parts of the page set the filters, too.
    window.hippoReport.filter = (values) => {
      form.reset();
      for (const [name, value] of Object.entries(values)) if (named[name]) named[name].value = value;
      filter();
    };

    const mark = (row) => {
      const before = current === null ? null : table.getRow(current);
      current = row.getData().id;
      for (const item of [before, row]) if (item) item.reformat();
      row.getElement().id = "row-chosen";
      holder.setAttribute("aria-activedescendant", "row-chosen");
      if (before && before.getData().id !== current) before.getElement().removeAttribute("id");
    };
    const choose = (row) => {
      mark(row);
      chosen.replaceChildren(...details(row.getData(), content));
      chosen.hidden = false;
    };
    const holder = place.querySelector(".tabulator-tableholder");
    const grid = place.querySelector(".tabulator");
    grid.setAttribute("aria-label", "All verdicts");
    grid.setAttribute("aria-rowcount", String(rows.length + 1));
    holder.setAttribute("role", "rowgroup");
    holder.tabIndex = 0;
    holder.setAttribute("aria-label", "Rows: arrows move, Enter shows the rest of a verdict");
    place.querySelector(".tabulator-table").setAttribute("role", "presentation");
    grid.removeAttribute("aria-owns");
    table.on("rowClick", (_, row) => choose(row));
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 15, PageUp: -15, Home: -Infinity, End: Infinity };
    let active = null;
    for (const event of ["dataFiltered", "dataSorted"]) table.on(event, () => { active = null; });
    holder.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && current !== null) {
        choose(table.getRow(current));
        chosen.focus();
      } else if (event.key in steps) {
        active ??= table.getRows("active");
        if (!active.length) return;
        const from = active.findIndex((row) => row.getData().id === current);
        const to = Math.min(Math.max(from + steps[event.key], 0), active.length - 1);
        mark(active[to]);
        table.scrollToRow(active[to], "nearest", false);
      } else {
        return;
      }
      event.preventDefault();
      event.stopPropagation();
    }, true);
    chosen.addEventListener("keydown", (event) => { if (event.key === "Escape") holder.focus(); });
    tell();
    place.dataset.ready = "yes";
  };

  hippoReport.table = start().catch((error) => { said.textContent = `No table: ${error.message}.`; });
})();
