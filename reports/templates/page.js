"use strict";
(() => {
  // Data is either in the page, or in scripts beside it, which work from a disk where nothing may be fetched.
  const parsed = (id) => JSON.parse(document.getElementById(id)?.textContent ?? "null");
  const drawings = parsed("drawings");
  const assets = parsed("assets");
  const taken = {};
  const loading = {};
  const load = (path) => (loading[path] ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = path;
    script.onload = resolve;
    script.onerror = () => reject(new Error(`${path} cannot be loaded; it belongs beside this page`));
    document.head.append(script);
  }));
  const unpacked = (text) => {
    if (!("DecompressionStream" in window)) throw new Error("this browser is too old to unpack the data (DecompressionStream)");
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
  };
  const data = async (name, path) => {
    await load(path);
    return taken[name];
  };
  window.hippoReport = { assets, load, data, unpacked, take: (name, content) => { taken[name] = content; } };

  const narrow = window.matchMedia("(max-width: 46rem)");
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const shown = new Map();

  // Colours of text and grid come from the style sheet, so that figures follow the page.
  const theme = () => {
    const style = getComputedStyle(document.documentElement);
    const color = (name) => style.getPropertyValue(name).trim();
    const axis = { gridcolor: color("--grid"), linecolor: color("--rule"), zeroline: false, tickcolor: color("--rule"), ticks: "outside" };
    return {
      layout: {
        font: { family: style.fontFamily, size: 12.5, color: color("--ink") },
        paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", xaxis: axis, yaxis: axis,
        modebar: { bgcolor: "rgba(0,0,0,0)", color: color("--soft"), activecolor: color("--ink") },
        hoverlabel: { align: "left", bgcolor: color("--panel"), bordercolor: color("--soft"), font: { color: color("--ink") } },
      },
    };
  };

  const draw = (place) => {
    const picture = shown.get(place);
    const chosen = narrow.matches ? picture.figure.narrow : picture.figure.layout;
    const layout = { ...structuredClone(chosen), template: theme() };
    place.setAttribute("aria-label", picture.words);
    // When the window changes, Plotly asks the place how high it is; a bar to scroll sideways needs room of its own.
    place.style.height = `${chosen.height + (chosen.width ? 18 : 0)}px`;
    const buttons = [["toImage", "zoom2d", "pan2d", "resetScale2d"]];
    const options = { responsive: true, displaylogo: false, modeBarButtons: buttons };
    Plotly.react(place, structuredClone(picture.figure.data), layout, options);
  };

  const show = async (place, picture) => {
    shown.delete(place);
    place.dataset.awaited = picture.words;
    if (typeof picture.figure === "string") picture.figure = await unpacked(picture.figure);
    if (place.dataset.awaited !== picture.words) return;  // another one was chosen meanwhile
    shown.set(place, picture);
    draw(place);
  };

  const start = (figure, pictures) => {
    const [first, second] = figure.querySelectorAll("select");
    const place = figure.querySelector(".canvas");
    if (!first) return show(place, pictures[0]);  // there is nothing to choose, and the page has its words
    const words = figure.querySelector("figcaption .said");
    const choose = () => {
      const picture = pictures.find((item) => item.group === first.value && item.choice === second.value);
      words.textContent = picture.words;
      return show(place, picture);
    };
    const fill = () => {
      const before = second.value;
      const choices = pictures.filter((item) => item.group === first.value).map((item) => item.choice);
      second.replaceChildren(...choices.map((choice) => new Option(choice, choice)));
      if (choices.includes(before)) second.value = before;
      second.parentElement.hidden = choices.length < 2;
      return choose();
    };
    first.parentElement.hidden = first.options.length < 2;
    first.addEventListener("change", fill);
    second.addEventListener("change", choose);
    return fill();
  };

  const begin = async (figure) => {
    if (figure.dataset.begun) return;
    figure.dataset.begun = "yes";
    const name = figure.dataset.drawing;
    const place = figure.querySelector(".canvas");
    try {
      if (assets) await load(assets.plotly);
      await start(figure, assets ? await data(name, assets.drawings[name]) : drawings[name]);
    } catch (error) {
      place.replaceChildren(Object.assign(document.createElement("p"), { className: "warning", textContent: `No picture: ${error.message}.` }));
    }
  };

  const figures = [...document.querySelectorAll("figure[data-drawing]")];
  if (assets) {
    // Each figure when it comes near, and the rest when there is nothing else to do, so that print finds them drawn.
    const near = new IntersectionObserver((entries) => {
      for (const entry of entries) if (entry.isIntersecting) begin(entry.target);
    }, { rootMargin: "600px" });
    figures.forEach((figure) => near.observe(figure));
    const idle = window.requestIdleCallback ?? ((work) => setTimeout(work, 200));
    const rest = async () => {
      const next = figures.find((figure) => !figure.dataset.begun);
      if (!next) return;
      await begin(next);
      idle(rest);
    };
    window.addEventListener("load", () => idle(rest));
  } else {
    figures.forEach(begin);
  }

  // The table of all verdicts, likewise; a click on a cell of the coverage shows its verdicts there.
  const table = document.getElementById("table");
  if (assets?.table && table) {
    new IntersectionObserver((entries, observer) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      observer.disconnect();
      load(assets.table).catch((error) => { table.hidden = false; table.querySelector(".said").textContent = `No table: ${error.message}.`; });
    }, { rootMargin: "400px" }).observe(table.parentElement);
    document.addEventListener("click", async (event) => {
      const cell = event.target.closest("table.matrix tbody td[data-column]");
      if (!cell) return;
      const { target, columns } = cell.closest("table").dataset;
      const [measure, dtype] = JSON.parse(columns)[cell.dataset.column];
      const [check, level, rule] = [...cell.parentElement.cells].map((item) => item.textContent);
      await load(assets.table);
      await window.hippoReport.table;
      window.hippoReport.filter({ target, measure, dtype, check, level, rule });
      table.parentElement.scrollIntoView();
    });
  }

  const redraw = () => shown.forEach((_, place) => draw(place));
  narrow.addEventListener("change", redraw);
  dark.addEventListener("change", redraw);
  window.matchMedia("print").addEventListener("change", redraw);
  // A page of paper is narrower than most windows, and what does not fit on it is cut off.
  window.addEventListener("beforeprint", () => {
    for (const place of shown.keys()) Plotly.relayout(place, { width: Math.min(place.layout?.width ?? 680, 680) });
  });
  window.addEventListener("afterprint", redraw);

  for (const input of document.querySelectorAll("input[data-filter]")) {
    const items = [...document.querySelectorAll(input.dataset.filter)].map((item) => [item, item.textContent.toLowerCase()]);
    const said = input.closest(".controls").querySelector("output");
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let left = 0;
      for (const [item, text] of items) {
        item.hidden = !words.every((word) => text.includes(word));
        left += item.hidden ? 0 : 1;
      }
      said.textContent = words.length ? `${left} of ${items.length}` : "";
    });
  }

  // A command is copied by a button; where the browser forbids that, it is selected instead.
  for (const command of document.querySelectorAll("pre.command")) {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "copy", textContent: "Copy" });
    button.setAttribute("aria-label", `Copy: ${command.textContent.slice(0, 60)}`);
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(command.textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(command);
        button.textContent = "Selected";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
    command.before(button);
  }

  // A link to a finding opens it.
  const reveal = () => {
    let target = null;
    try { target = document.querySelector(location.hash || null); } catch { return; }
    for (let node = target; node; node = node.parentElement) if (node.tagName === "DETAILS") node.open = true;
    target?.scrollIntoView();
  };
  window.addEventListener("hashchange", reveal);
  if (location.hash) reveal();
})();
