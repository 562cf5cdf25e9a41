"use strict";
(() => {
  const drawings = JSON.parse(document.getElementById("drawings").textContent);
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
    const buttons = [["toImage", "zoom2d", "pan2d", "resetScale2d"]];
    const options = { responsive: true, displaylogo: false, modeBarButtons: buttons };
    Plotly.react(place, structuredClone(picture.figure.data), layout, options);
  };

  for (const figure of document.querySelectorAll("figure[data-drawing]")) {
    const pictures = drawings[figure.dataset.drawing];
    const [first, second] = figure.querySelectorAll("select");
    const place = figure.querySelector(".canvas");
    if (!first) {  // one picture: there is nothing to choose, and the page has its words
      shown.set(place, pictures[0]);
      draw(place);
      continue;
    }
    const words = figure.querySelector("figcaption .said");
    const show = () => {
      const picture = pictures.find((item) => item.group === first.value && item.choice === second.value);
      shown.set(place, picture);
      words.textContent = picture.words;
      draw(place);
    };
    const fill = () => {
      const before = second.value;
      const choices = pictures.filter((item) => item.group === first.value).map((item) => item.choice);
      second.replaceChildren(...choices.map((choice) => new Option(choice, choice)));
      if (choices.includes(before)) second.value = before;
      second.parentElement.hidden = choices.length < 2;
      show();
    };
    first.parentElement.hidden = first.options.length < 2;
    first.addEventListener("change", fill);
    second.addEventListener("change", show);
    fill();
  }

  const redraw = () => shown.forEach((_, place) => draw(place));
  narrow.addEventListener("change", redraw);
  dark.addEventListener("change", redraw);
  window.matchMedia("print").addEventListener("change", redraw);

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
})();
