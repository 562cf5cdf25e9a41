"""Pen trajectories of handwritten letters, drawn from real single-stroke fonts: known at every moment, for any rate.

The letters are the 20 of the UEA set CharacterTrajectories, those that are written without lifting the pen, and so are
its channels: horizontal and vertical velocity, and the force of the pen tip. Each Hershey font is a writer. A letter's
strokes are joined in the order that takes the pen least far, and the moves between them are written too, lightly. What
hands do to a letter is then done to it: corners are rounded; the letter is slanted, turned, stretched and bent; the pen
is slow where the path is curved (angular velocity ~ curvature^(2/3): Lacquaniti, Terzuolo and Viviani 1983) and at both
ends; hands differ in tempo, and tremble at 8 to 12 Hz. Motion is smoothed in time by a Gaussian of about 10 ms, as in
the UEA set (2 samples at 200 Hz).

The result is piecewise polynomial in time. A sampling rate is only a choice of the moments at which it is read, so that
half and double the rate show the very same trajectory, and bounds on its slope and curvature are exact.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LETTERS: Final = "abcdeghlmnopqrsuvwyz"
"""The classes, in the order of their numbers: the letters of CharacterTrajectories."""
WRITERS: Final = {"print": "futural", "script": "scripts", "formal script": "scriptc", "italic": "timesi"}
"""Writer to font of the package. Other Latin fonts have the same letters as these, serifs, or filled strokes."""
CHANNELS: Final = ("x velocity", "y velocity", "pen force")

_EM: Final = 21.0
"""Height of a capital in the units of the fonts."""
_THICKNESS: Final = 2.1
"""Fonts with thick strokes draw a thick part as two lines so far apart at most, in their units."""
_SHORTEST: Final = 6.0
"""Strokes of such fonts below this length are serifs and the ends of thick parts."""
_POINTS: Final = 400
"""Points along a path while it is shaped."""
_KNOTS: Final = 97
"""Knots of the spline in time: 0.7 s have one every 7 ms, eleven in a period of the fastest tremor."""
_SMOOTHING: Final = 1.4
"""Knots of the Gaussian that smooths motion: 10 ms where a letter takes 0.7 s."""


def strokes(font: str, letter: str) -> list[Array]:
    """Strokes (P, 2) of a letter of a font, each one line: what only makes another stroke thick is left out.

    Raises:
        ModuleNotFoundError: the fonts are not installed.
        ValueError: a font, or a letter, that there is not.
    """
    found = [np.array(line, dtype=np.float64) * (1.0, -1.0) for line in _font(font).strokes_for_text(letter)]
    if not found:
        raise ValueError(f"font {font!r} has no strokes for {letter!r}; accepted: letters that it draws")
    kept: list[Array] = []
    for line in sorted(found, key=_length, reverse=True):
        if kept and font in ("scriptc", "timesi"):  # those with thick strokes
            near = _distances(_along(line, 64), np.concatenate([_along(other, 256) for other in kept])) <= _THICKNESS
            if near.mean() >= 0.8 or _length(line) < _SHORTEST:
                continue
        kept.append(line)
    return kept


@lru_cache(maxsize=len(WRITERS))
def _font(name: str) -> Any:
    try:
        from HersheyFonts import HersheyFonts  # noqa: PLC0415 -- a guest: listing claims must not import it
    except ModuleNotFoundError as error:
        if error.name != "HersheyFonts":
            raise
        raise ModuleNotFoundError(
            "the letters come with Hershey-Fonts, which is not installed: pip install 'hippo-verify[claims]'",
            name=error.name,
        ) from error
    fonts = HersheyFonts()
    if name not in fonts.default_font_names:
        raise ValueError(f"no font is called {name!r}; accepted: {', '.join(fonts.default_font_names)}")
    fonts.load_default_font(name)
    return fonts


@lru_cache(maxsize=len(WRITERS) * len(LETTERS))
def pen_path(font: str, letter: str) -> tuple[Array, Array]:
    """The path of the pen over a letter in heights of a capital, (P, 2), and whether each point is on a stroke, (P,).

    Strokes are put into the order and direction in which the pen moves least between them; a start far from the left,
    as hands do not make it, counts as a move of a quarter of that way.
    """
    lines = strokes(font, letter)
    left = min(float(line[:, 0].min()) for line in lines)

    def effort(parts: Sequence[Array]) -> float:
        moves = sum(float(np.hypot(*(b[0] - a[-1]))) for a, b in itertools.pairwise(parts))
        return moves + 0.25 * float(parts[0][0, 0] - left)

    orders = (
        [line[::-1] if turned else line for line, turned in zip(order, turns, strict=True)]
        for order in itertools.permutations(lines)
        for turns in itertools.product((False, True), repeat=len(lines))
    )
    best = min(orders, key=effort)
    points, drawn = [best[0][0]], [True]
    for line in best:
        if np.hypot(*(line[0] - points[-1])) > 0:
            points.append(line[0])
            drawn.append(False)  # the piece that ends here is a move
        points.extend(line[1:])
        drawn.extend([True] * (len(line) - 1))
    path = np.array(points)
    way = _way(path)
    at = np.linspace(0.0, way[-1], _POINTS)
    piece = np.clip(np.searchsorted(way, at, side="left"), 1, len(way) - 1)
    centre = (path.min(axis=0) + path.max(axis=0)) / 2
    shape = (np.stack([np.interp(at, way, path[:, axis]) for axis in (0, 1)], axis=1) - centre) / _EM
    return _rounded(shape, 0.035 * _EM / way[-1]), np.array(drawn, dtype=np.float64)[piece]


@dataclass(frozen=True, kw_only=True)
class Pens:
    """Trajectories (n) of three channels, known at every moment from 0 to the duration of each.

    Attributes:
        pieces: (n, K, 4, 3) on each of K pieces of equal length, the coefficients of a polynomial in the share of the
            piece that is over, from 0 to 1, highest power first, for each channel.
        durations: (n,) seconds.
        labels: (n,) index into `LETTERS`.
        writers: (n,) index into `WRITERS`.
    """

    pieces: Array
    durations: Array
    labels: NDArray[np.int64]
    writers: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.durations)

    def take(self, rows: NDArray[np.intp]) -> Pens:
        """Some of them."""
        return Pens(
            pieces=self.pieces[rows],
            durations=self.durations[rows],
            labels=self.labels[rows],
            writers=self.writers[rows],
        )

    def at(self, times: Array) -> Array:
        """Values (n, L, 3) at times (n, L) in seconds; outside of a trajectory those at its ends."""
        count = self.pieces.shape[1]
        place = np.clip(times / self.durations[:, None], 0.0, 1.0) * count
        piece = np.minimum(place.astype(np.int64), count - 1)
        share = (place - piece)[..., None]
        a, b, c, d = np.moveaxis(self.pieces[np.arange(len(self))[:, None], piece], 2, 0)
        values: Array = ((a * share + b) * share + c) * share + d
        return values

    def roughness(self) -> tuple[Array, Array]:
        """Root mean squares of ``f'`` and ``f''`` (n, 3) in a unit of time that is the whole duration."""
        count = self.pieces.shape[1]
        nodes, masses = np.polynomial.legendre.leggauss(3)  # exact to degree 5: the square of f' has 4
        s = (nodes + 1) / 2
        a, b, c, _ = (part[..., None] for part in np.moveaxis(self.pieces, 2, 0))
        first = ((3 * a * s + 2 * b) * s + c) * count
        second = (6 * a * s + 2 * b) * count**2
        slope, bend = (np.sqrt((values**2 @ (masses / 2)).mean(axis=1)) for values in (first, second))
        return slope, bend


def draw(count: int, seed: int, writers: Sequence[str] = tuple(WRITERS)) -> Pens:
    """Trajectories of every letter by some writers.

    Args:
        count: of each letter, the writers in turn.
        seed: the same seed gives the same trajectories; another seed others.
        writers: keys of `WRITERS`.

    Raises:
        ValueError: no trajectory, or an unknown writer.
        ModuleNotFoundError: the fonts are not installed.
    """
    if count < 1:
        raise ValueError(f"count is {count}; accepted: at least 1 trajectory of each letter")
    unknown = [name for name in writers if name not in WRITERS]
    if unknown or not writers:
        raise ValueError(f"writers are {tuple(writers)!r}; accepted: one or more of {', '.join(WRITERS)}")
    random = np.random.default_rng([seed, *b"strokes"])
    labels = np.repeat(np.arange(len(LETTERS)), count)
    hands = np.tile(np.array([list(WRITERS).index(name) for name in writers]), count)[:count]
    hands = np.tile(hands, len(LETTERS))
    paths = [pen_path(WRITERS[list(WRITERS)[hand]], LETTERS[label]) for label, hand in zip(labels, hands, strict=True)]
    shapes = _shaped(np.stack([path for path, _ in paths]), random)
    drawn = np.stack([flags for _, flags in paths])
    clock, durations = _clock(shapes, random)
    return Pens(
        pieces=_pieces(shapes, drawn, clock, durations, random), durations=durations, labels=labels, writers=hands
    )


def _shaped(paths: Array, random: np.random.Generator) -> Array:
    """Slant, turn, stretch and bend paths (n, P, 2), each by its own hand."""
    n = len(paths)
    turn, slant = random.normal(0.0, 0.12, n), random.normal(0.0, 0.2, n)
    wide, high = np.exp(random.normal(0.0, 0.12, (2, n)))
    cos, sin, zero, one = np.cos(turn), np.sin(turn), np.zeros(n), np.ones(n)
    rotation = np.array([[cos, -sin], [sin, cos]])
    shear = np.array([[wide, slant * high], [zero, one * high]])
    affine = np.einsum("abn,bcn->nac", rotation, shear)
    bent = np.einsum("nac,npc->npa", affine, paths)
    share = np.linspace(0.0, 1.0, paths.shape[1])
    for mode in range(1, 6):  # low frequencies along the path, the lower the larger
        amplitude = random.normal(0.0, 0.05 / mode, (n, 1, 2))
        bent += amplitude * np.cos(np.pi * mode * share + random.uniform(0.0, 2 * np.pi, (n, 1)))[..., None]
    return bent


def _clock(shapes: Array, random: np.random.Generator) -> tuple[Array, Array]:
    """Time (n, P) at which each point is reached, from 0 to 1, and the durations (n,) in seconds."""
    n, points, _ = shapes.shape
    share = np.linspace(0.0, 1.0, points)
    first = np.gradient(shapes, share, axis=1)
    second = np.gradient(first, share, axis=1)
    pace = np.hypot(first[..., 0], first[..., 1])
    cross = np.abs(first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0])
    curvature = cross / (pace**2 + 1e-3) ** 1.5
    speed = (curvature + 1.0) ** (-1 / 3)  # v ~ curvature^(-1/3); a straight line is not infinitely fast
    for mode in range(1, 5):
        wave = np.cos(np.pi * mode * share + random.uniform(0.0, 2 * np.pi, (n, 1)))
        speed *= np.exp(random.normal(0.0, 0.2 / mode, (n, 1)) * wave)
    ends = np.minimum(share, 1.0 - share)
    speed *= 0.25 + 0.75 * np.sqrt(np.clip(ends / 0.12, 0.0, 1.0))
    rate = pace / speed
    steps = (rate[:, 1:] + rate[:, :-1]) / (2 * (points - 1))
    clock = np.concatenate([np.zeros((n, 1)), np.cumsum(steps, axis=1)], axis=1)
    # Long letters are written faster (isochrony); hands differ in tempo.
    durations = 0.41 * clock[:, -1] ** 0.4 * np.exp(random.normal(0.0, 0.1, n))
    return clock / clock[:, -1:], durations


def _pieces(shapes: Array, drawn: Array, clock: Array, durations: Array, random: np.random.Generator) -> Array:
    """Polynomials (n, K, 4, 3) of velocity and force between knots at equal times."""
    from scipy.interpolate import CubicSpline  # noqa: PLC0415 -- slow to import
    from scipy.ndimage import gaussian_filter1d  # noqa: PLC0415

    n = len(shapes)
    knots = np.linspace(0.0, 1.0, _KNOTS)
    position = np.empty((n, _KNOTS, 2))
    touch = np.empty((n, _KNOTS))
    for i in range(n):
        touch[i] = np.interp(knots, clock[i], drawn[i])
        for axis in (0, 1):
            position[i, :, axis] = np.interp(knots, clock[i], shapes[i, :, axis])
    position = gaussian_filter1d(position, _SMOOTHING, axis=1, mode="nearest")
    touch = gaussian_filter1d(touch, _SMOOTHING, axis=1, mode="nearest")
    seconds = knots * durations[:, None]
    for _ in range(3):  # tremor
        turns = random.uniform(8.0, 12.0, (n, 1)) * seconds
        for axis in (0, 1):
            phase = random.uniform(0.0, 2 * np.pi, (n, 1))
            position[..., axis] += random.normal(0.0, 0.002, (n, 1)) * np.sin(2 * np.pi * turns + phase)
    at_ends = np.clip(np.minimum(knots, 1.0 - knots) / 0.15, 0.0, 1.0)
    force = np.sin(0.5 * np.pi * at_ends) * (0.35 + 0.65 * touch)
    for mode in range(1, 4):
        wave = np.cos(np.pi * mode * knots + random.uniform(0.0, 2 * np.pi, (n, 1)))
        force *= 1.0 + random.normal(0.0, 0.12 / mode, (n, 1)) * wave
    force *= np.exp(random.normal(0.0, 0.15, (n, 1)))
    count = _KNOTS - 1
    found = np.zeros((n, count, 4, 3))
    # Splines in knots, so that a piece has length 1; a velocity is the derivative, in heights of a capital a second.
    grid = np.arange(_KNOTS)
    cubic = CubicSpline(grid, position, axis=1).c  # (4, K, n, 2)
    slope = cubic[:3] * np.array([3.0, 2.0, 1.0])[:, None, None, None] * count / durations[None, None, :, None]
    found[:, :, 1:, :2] = slope.transpose(2, 1, 0, 3)
    found[..., 2] = CubicSpline(grid, force, axis=1).c.transpose(2, 1, 0)
    return found


def _length(line: Array) -> float:
    return float(_way(line)[-1])


def _way(path: Array) -> Array:
    return np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(path, axis=0).T))])


def _along(line: Array, count: int) -> Array:
    way = _way(line)
    at = np.linspace(0.0, way[-1], count)
    return np.stack([np.interp(at, way, line[:, axis]) for axis in (0, 1)], axis=1)


def _distances(points: Array, others: Array) -> Array:
    """Distance (P,) of each point to the nearest of the others."""
    found: Array = np.sqrt(((points[:, None] - others[None]) ** 2).sum(axis=-1)).min(axis=1)
    return found


def _rounded(path: Array, width: float) -> Array:
    """Smooth a path (P, 2) by a Gaussian whose width is a share of its length; its ends stay."""
    from scipy.ndimage import gaussian_filter1d  # noqa: PLC0415

    margin = len(path) // 4
    padded = np.pad(path, ((margin, margin), (0, 0)), mode="reflect", reflect_type="odd")
    smooth: Array = gaussian_filter1d(padded, width * len(path), axis=0)[margin:-margin]
    return smooth
