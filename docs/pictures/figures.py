"""The pictures of docs/hippo.md: matplotlib draws them, and a style sheet in each turns them dark with the reader.

A picture is a card with a background of its own, so that it can be read on any page. Its colours are those of
``LIGHT``; where the reader's system is dark, `_DARK` gives each its partner. What cannot read style sheets shows the
light card.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

import data
import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

PAPER, INK, SOFT, GRID, SHADE = "#ffffff", "#1b2129", "#56606c", "#e4e8ed", "#f0f2f5"
BLUE, ORANGE, GREEN, PURPLE, RED = "#1f5fae", "#b4530a", "#1c6b43", "#7d3a9c", "#a51d33"
HUES = (BLUE, ORANGE, GREEN, PURPLE, RED)
DARK = MappingProxyType(
    {
        PAPER: "#14181d",
        INK: "#e6e9ee",
        SOFT: "#a2acb8",
        GRID: "#2b333c",
        SHADE: "#232a32",
        BLUE: "#8db9f2",
        ORANGE: "#f2a766",
        GREEN: "#8fdcae",
        PURPLE: "#dfb0f2",
        RED: "#ffa3ae",
    }
)
"""The partner of every colour that is used."""
STYLE = {
    "svg.hashsalt": "hippo-verify",
    "svg.fonttype": "path",
    "path.simplify": True,
    "path.simplify_threshold": 0.3,
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": mpl.cycler(color=HUES),
    "axes.edgecolor": SOFT,
    "axes.labelcolor": SOFT,
    "axes.titlecolor": INK,
    "text.color": INK,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "grid.color": GRID,
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "figure.constrained_layout.use": True,
    "lines.linewidth": 1.6,
}
_LONG = re.compile(r"(?<!scale\()-?\b\d+\.\d{3,}")
"""Coordinates with more than two decimals; the scale of glyphs needs all of its own."""


def svg(figure: Figure) -> str:
    """A figure as text: no date, coordinates to a hundredth of a point, and a dark side."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = _LONG.sub(lambda found: f"{float(found[0]):.2f}".rstrip("0").rstrip("."), buffer.getvalue())
    text = re.sub(r"<!--.*?-->\s*|<metadata>.*?</metadata>\s*|<\?xml.*?\?>\s*|<!DOCTYPE[^>]*>\s*", "", text, flags=re.S)
    # Names made from a hash of coordinates would change with their last bit.
    for number, name in enumerate(dict.fromkeys(re.findall(r'id="([a-z][0-9a-f]{10})"', text))):
        text = text.replace(name, f"part{number}")
    rules = "".join(
        f"[style*='{part}: {light}']{{{part}:{dark}!important}}"
        for light, dark in DARK.items()
        for part in ("fill", "stroke")
        if f"{part}: {light}" in text
    )
    return re.sub(r"[ \t]+$", "", text, flags=re.M).replace(
        "<defs>", f"<style>@media (prefers-color-scheme: dark) {{{rules}}}</style>\n <defs>", 1
    )


def _panels(rows: int, columns: int, height: float) -> tuple[Figure, np.ndarray]:
    figure = Figure(figsize=(6.6, height))
    axes = figure.subplots(rows, columns, squeeze=False)
    return figure, axes


def _bare(ax: Axes) -> None:
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)


def measures() -> Figure:
    """Four measures over the past, at two moments."""
    figure, axes = _panels(2, 2, 3.3)
    shown = (
        ("legs", "LegS: all of the past alike"),
        ("legt", "LegT, LMU, FouT: the last 2, alike"),
        ("lagt", "LagT, LegS as an invariant law: fading"),
        ("chebt", "ChebT: the last 2, both ends heavy"),
    )
    # Close at both ends, where ChebT is infinite; a step beyond each, where there is nothing.
    near = 0.5 - 0.5 * np.cos(np.linspace(0.02, 3.12, 60))
    for ax, (key, title) in zip(axes.flat, shown, strict=True):
        for t, hue in ((4.0, BLUE), (9.0, ORANGE)):
            begin = t - data.WINDOW if key in ("legt", "chebt") else 0.0
            inside = begin + (t - begin) * near
            x = np.concatenate([[begin], inside, [t]])
            weight = np.concatenate([[0.0], np.minimum(data.density(key, t, inside), 1.3), [0.0]])
            ax.fill_between(x, weight, color=hue, alpha=0.25, linewidth=0)
            ax.plot(x, weight, color=hue)
            ax.axvline(t, color=hue, linewidth=0.8, linestyle=":")
            ax.text(t + 0.1, 1.16, f"now = {t:g}", color=hue, fontsize=8)
        ax.set(title=title, xlim=(0, 10.5), ylim=(0, 1.3), xticks=range(0, 11, 2))
        _bare(ax)
    for ax in axes[1]:
        ax.set_xlabel("time x of the past")
    return figure


def basis() -> Figure:
    """The first functions of each basis, over the past that a picture shows."""
    figure, axes = _panels(1, 4, 2.2)
    fractions = np.linspace(0, 1, 201)
    for ax, memory in zip(axes.flat, data.MEMORIES, strict=True):
        values = memory.basis(5, fractions)
        for n in range(5 if memory.key == "fout" else 4):
            ax.plot(fractions, values[:, n], color=HUES[n], linewidth=1.3)
        far = {"legs": "0", "lagt": f"now - {data.HORIZON:g}"}.get(memory.key, f"now - {data.WINDOW:g}")
        ax.set(title=memory.name, xticks=[0, 1], ylim=(-3.2, 3.2), yticks=[-2, 0, 2])
        ax.set_xticklabels([far, "now"])
        for label, side in zip(ax.get_xticklabels(), ("left", "right"), strict=True):
            label.set_horizontalalignment(side)
        ax.grid(axis="y", linewidth=0.6)
    return figure


def memory() -> Figure:
    """A signal, and what is left of it in each memory at three moments."""
    figure, axes = _panels(len(data.MEMORIES), len(data.MOMENTS), 5.2)
    x, fractions = np.linspace(0, data.DURATION, 501), np.linspace(0, 1, 161)
    for row, which in zip(axes, data.MEMORIES, strict=True):
        states = which.scan(data.SHOWN)
        for ax, t in zip(row, data.MOMENTS, strict=True):
            ax.axvspan(max(which.begin(t), 0), t, color=SHADE, linewidth=0)
            ax.plot(x[x <= t], data.signal(x[x <= t]), color=SOFT, linewidth=1)
            ax.plot(x[x > t], data.signal(x[x > t]), color=GRID, linewidth=1)
            times, rebuilt = data.remembered(which, states, t, fractions)
            seen = times >= 0
            ax.plot(times[seen], np.clip(rebuilt[seen], -1.3, 1.65), color=BLUE)
            ax.set(xlim=(0, data.DURATION), ylim=(-1.3, 1.65), xticks=[0, t])
            ax.set_xticklabels(["0", f"now = {t:g}"])
            _bare(ax)
        row[0].set_title(f"{which.name}: {which.past}")
    return figure


def truncation() -> Figure:
    """What N numbers cannot hold, for signals of three kinds."""
    figure, axes = _panels(1, 1, 2.9)
    ax, orders = axes[0, 0], np.arange(1, 65)
    for which, hue, (at, lift) in zip(data.SIGNALS, HUES, ((40, 1.5), (40, 2.2), (19, 2)), strict=False):
        error = data.truncation(which)
        kept = error > 1e-10
        ax.loglog(orders[kept], error[kept], color=hue, marker=".", markersize=4, linewidth=1)
        ax.text(at, error[at - 1] * lift, which.name, color=hue, ha="center" if at > 30 else "left")
    ax.loglog(orders, data.jackson(orders), color=ORANGE, linestyle="--", linewidth=1)
    ax.text(1.05, 2e-3, "dashed: Jackson's bound for the kink", color=ORANGE)
    ax.set(ylim=(1e-10, 3), xlabel="order N", ylabel="‖signal - memory‖", xticks=[1, 2, 4, 8, 16, 32, 64])
    ax.set_xticks([], minor=True)
    ax.set_xticklabels(["1", "2", "4", "8", "16", "32", "64"])
    ax.grid(linewidth=0.6)
    return figure


def rules() -> Figure:
    """How far each rule is from the exact projection, over the number of samples."""
    figure, axes = _panels(1, 1, 2.9)
    ax = axes[0, 0]
    for rule, hue, lift in zip(data.RULES, (RED, ORANGE, GREEN, BLUE, PURPLE), (1.1, 0.9, 1, 0.55, 1.7), strict=True):
        error = data.discretization(rule)
        ax.loglog(data.LENGTHS, error, color=hue, marker=".", markersize=4, linewidth=1)
        ax.text(data.LENGTHS[-1] * 1.08, error[-1] * lift, rule, color=hue, va="center")
    ax.set(xlim=(22, 1250), ylim=(1.5e-7, 0.1), xlabel="samples on [0, 1]", ylabel="distance from the projection")
    ax.set_xticks([], minor=True)
    ax.set_xticks(data.LENGTHS)
    ax.set_xticklabels([str(length) for length in data.LENGTHS])
    ax.grid(linewidth=0.6)
    return figure


FIGURES: Mapping[str, Callable[[], Figure]] = MappingProxyType(
    {"measures": measures, "basis": basis, "memory": memory, "truncation": truncation, "rules": rules}
)
