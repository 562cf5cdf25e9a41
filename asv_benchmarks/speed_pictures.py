"""The pictures of a finished run, as SVG: peers, error against time, growth."""

from __future__ import annotations

from statistics import median

from asv_benchmarks.guests import Guest
from asv_benchmarks.peers import OURS
from asv_benchmarks.speed_report import RULES, growth_curves, of, precision_points, rate, timed

mpl, plt, ticker = Guest("matplotlib"), Guest("matplotlib.pyplot"), Guest("matplotlib.ticker")

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#5c5c5c", "#8b6914", "#7b3294", "#a6761d")
"""Told apart with any colour vision (Okabe and Ito), then more of the kind."""
MARKERS = "osD^vPX*<>"
STYLE = {
    "svg.hashsalt": "hippo-speed",
    "svg.fonttype": "none",
    "font.size": 9,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.markersize": 4,
}


def saved(figure, folder, name):
    """Write one picture without a date, so that the same run gives the same file."""
    path = folder / f"speed-{name}.svg"
    figure.savefig(path, metadata={"Date": None}, bbox_inches="tight")
    plt.close(figure)
    return path


def draw_peers(record, folder):
    """One strip for each task: everyone's rate on one logarithmic axis."""
    parts = [part for part in of(record, "peers") if timed(part)]
    heights = [len(timed(part)) + 1.2 for part in parts]
    figure, axes = plt.subplots(
        len(parts),
        1,
        sharex=True,
        squeeze=False,
        figsize=(8, 0.24 * sum(heights)),
        height_ratios=heights,
        layout="constrained",
    )
    for axis, part in zip(axes[:, 0], parts, strict=True):
        rows = sorted(timed(part), key=lambda row: median(row["seconds"]), reverse=True)
        values = [rate(part, row) for row in rows]
        axis.barh(
            [row["title"] for row in rows],
            values,
            color=[COLOURS[0] if row["key"] in OURS else "#b0b0b0" for row in rows],
        )
        for place, value in enumerate(values):
            axis.text(value, place, f" {value:.3g}", va="center", fontsize=8)
        axis.set_xscale("log")
        axis.set_title(part["title"], loc="left", fontsize=9)
        axis.grid(visible=False, axis="y")
    axes[-1, 0].set_xlabel("million steps a second (blue: ours)")
    return saved(figure, folder, "peers")


def draw_precision(record, folder):
    """Two panels, smooth and rough: error against time, a curve for each rule, backend and dtype."""
    points = precision_points(record)
    figure, axes = plt.subplots(1, 2, figsize=(10, 4.6), sharex=True, layout="constrained")
    backends = list(dict.fromkeys((p[1], p[2]) for p in points))
    styles = dict(zip(backends, ("-", "--", ":", "-.", (0, (5, 1, 1, 1, 1, 1))), strict=False))
    for axis, signal in zip(axes, ("smooth", "rough"), strict=True):
        for colour, marker, (rule, words) in zip(COLOURS, MARKERS, RULES.items(), strict=False):
            for backend in backends:
                curve = sorted((p[3], p[4], p[5][signal]) for p in points if p[0] == rule and (p[1], p[2]) == backend)
                if curve:
                    label = words if backend == backends[0] else None
                    axis.plot(
                        [1e6 * p[1] for p in curve], [p[2] for p in curve], color=colour, marker=marker,
                        linestyle=styles[backend], label=label, linewidth=1,
                    )  # fmt: skip
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.xaxis.set_minor_formatter(ticker.NullFormatter())
        axis.set_title(f"{signal} signal", loc="left")
        axis.set_xlabel("µs for the whole scan")
    axes[0].set_ylabel("error of the last state, 2-norm")
    for backend in backends:
        axes[1].plot([], [], color="#5c5c5c", linestyle=styles[backend], label=" ".join(backend))
    handles = {}
    for axis in axes:
        handles |= {label: line for line, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside right upper")
    return saved(figure, folder, "precision")


def draw_growth(record, folder):
    """Three panels: time of one step against order, length and streams."""
    curves = growth_curves(record)
    figure, axes = plt.subplots(1, 3, figsize=(13, 5.6), layout="constrained")
    panels = (("order", "order N"), ("length", "samples L"), ("batch", "streams"))
    for axis, (against, words) in zip(axes, panels, strict=True):
        chosen = [(path, who, curve) for (kind, path, who), curve in curves.items() if kind == against]
        for place, (path, who, (sizes, times)) in enumerate(chosen):
            axis.plot(
                sizes, [1e9 * t for t in times], color=COLOURS[place % len(COLOURS)],
                marker=MARKERS[place % len(MARKERS)], label=f"{path}, {who}", linewidth=1,
            )  # fmt: skip
        if against == "order" and chosen:
            sizes, times = chosen[0][2]
            line = [1e9 * times[-1] * size / sizes[-1] for size in sizes]
            axis.plot(sizes, line, color="#000000", linewidth=0.8, linestyle=":", label="slope 1")
        axis.set_xscale("log", base=2)
        axis.set_yscale("log")
        axis.xaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axis.tick_params(axis="x", rotation=45)
        low, high = axis.get_ylim()
        axis.set_ylim(min(low, high / 30), max(high, low * 30))  # a flat curve shall look flat
        axis.set_xlabel(words)
        if chosen:
            axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.5))
    axes[0].set_ylabel("ns for one step of one stream")
    return saved(figure, folder, "growth")


def draw(record, folder):
    """Draw everything that the record holds; return name -> path."""
    folder.mkdir(parents=True, exist_ok=True)
    mpl.use("svg")
    with mpl.rc_context(STYLE):
        return {
            name: function(record, folder)
            for name, function in (("peers", draw_peers), ("precision", draw_precision), ("growth", draw_growth))
            if any(timed(part) for part in of(record, name))
        }
