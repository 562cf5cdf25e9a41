"""The pictures of docs/hippo.md are those that the code draws now, and the slider works for everybody."""

import json
import re
import subprocess
import sys
from importlib.metadata import version

import numpy as np
import pytest
from docs_tools import ROOT, environment

import hippo_fast
import hippo_ref

STATIC = ROOT / "docs/_static"
PAGE = ROOT / "docs/hippo.md"
DRAWN = ("basis.svg", "measures.svg", "memory.svg", "rules.svg", "slider.html", "truncation.svg")
NUMBER = re.compile(r"(?<![\w#.])-?\d+\.?\d*(?:e-?\d+)?")


def changes(committed, redrawn):
    """How two pictures differ: in what is no number, or by how much a number does.

    Coordinates are rounded to a hundredth and coefficients to 1e-4 when they are written, so another machine's last
    bits may move the last digit of some.
    """
    if NUMBER.sub("#", committed) != NUMBER.sub("#", redrawn):
        return "another drawing"
    pairs = [np.array([float(number) for number in NUMBER.findall(text)]) for text in (committed, redrawn)]
    far = np.abs(pairs[0] - pairs[1]).max()
    return f"a number differs by {far:.3g}" if far > 0.021 else ""


@pytest.fixture(scope="module")
def redrawn(tmp_path_factory):
    pinned = re.search(r"^matplotlib==(.+)$", (ROOT / "constraints.txt").read_text(), flags=re.MULTILINE)[1]
    pytest.importorskip("matplotlib", reason="matplotlib is in the bench extra")
    if version("matplotlib") != pinned:
        pytest.skip(f"another matplotlib than the pinned {pinned} draws in other words")
    folder = tmp_path_factory.mktemp("pictures")
    program = [sys.executable, str(ROOT / "docs/pictures/draw.py"), "--output", str(folder)]
    subprocess.run(program, env=environment(), check=True, capture_output=True)
    return folder


def test_the_pictures_are_those_that_the_code_draws(redrawn):
    assert tuple(sorted(path.name.removeprefix("hippo-") for path in redrawn.iterdir())) == DRAWN
    for path in redrawn.iterdir():
        found = changes((STATIC / path.name).read_text(encoding="utf-8"), path.read_text(encoding="utf-8"))
        assert found == "", f"{path.name}: {found}; draw it again: python docs/pictures/draw.py"


def test_the_comparison_bites():
    drawing = (STATIC / "hippo-rules.svg").read_text(encoding="utf-8")
    place = re.search(r"L (\d+\.\d+)", drawing)

    def moved(by):
        return drawing.replace(place[0], f"L {float(place[1]) + by:.2f}", 1)

    assert changes(drawing, drawing) == changes(drawing, moved(0.01)) == ""
    assert changes(drawing, moved(0.1)) == "a number differs by 0.1"
    assert changes(drawing, drawing.replace("stroke", "fill", 1)) == "another drawing"


def test_they_are_small_and_fetch_nothing():
    for name in DRAWN:
        text = (STATIC / f"hippo-{name}").read_text(encoding="utf-8")
        assert len(text.encode()) < (300_000 if name == "slider.html" else 100_000), name
        assert set(re.findall(r"https?://[^\s\"']+", text)) <= {
            "http://www.w3.org/2000/svg",
            "http://www.w3.org/1999/xlink",
        }
        assert not re.search(r"\b20\d\d-\d\d-\d\d\b", text), "a date changes with every drawing"


def test_every_picture_is_shown_and_told_in_words():
    shown = re.findall(r'<img [^>]*src="_static/([\w.-]+)" alt="([^"]+)"', PAGE.read_text(encoding="utf-8"))
    assert {name for name, _ in shown} == {f"hippo-{name}" for name in DRAWN if name.endswith(".svg")}
    assert all(len(alt.split()) > 20 for _, alt in shown)


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("name", [name for name in DRAWN if name.endswith(".svg")])
def test_words_and_lines_are_legible_by_day_and_by_night(name):
    """Every colour but those of the background has a contrast of 4.5 with the card, and so has its partner."""
    text = (STATIC / f"hippo-{name}").read_text(encoding="utf-8")
    sheet = re.search(r"<style>@media \(prefers-color-scheme: dark\) \{(.*?)\}</style>", text)[1]
    night = dict(re.findall(r"\[style\*='\w+: (#\w{6})'\]\{\w+:(#\w{6})!important\}", sheet))
    used = set(re.findall(r"(?:fill|stroke): (#\w{6})", text.replace(sheet, "")))
    assert used == set(night)
    paper, backgrounds = "#ffffff", {"#ffffff", "#e4e8ed", "#f0f2f5"}
    assert paper in used
    for colour in used - backgrounds:
        assert contrast(colour, paper) >= 4.5
        assert contrast(night[colour], night[paper]) >= 4.5
    assert contrast("#999999", paper) < 4.5


@pytest.fixture(scope="module")
def numbers():
    text = (STATIC / "hippo-slider.html").read_text(encoding="utf-8")
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text)[1])


def test_the_numbers_of_the_slider_are_the_memory(numbers):
    """What the page holds is the exact projection of the held samples, and its bases are those of the fast side."""
    legs, legt, _, fout = numbers["memories"]
    assert [memory["key"] for memory in numbers["memories"]] == ["legs", "legt", "lagt", "fout"]
    x = (np.arange(100) + 0.5) * numbers["step"]
    held = 0.55 * np.sin(0.9 * x) + 0.3 * np.sin(2.7 * x + 1) + 0.8 * np.exp(-8 * (x - 2.2) ** 2)
    held += 0.35 * np.sin(12 * x) * np.exp(-3 * (x - 6.4) ** 2)
    exact = hippo_ref.project_held(hippo_ref.measure("legs"), held.tolist(), 5, dps=20)
    assert numbers["moments"][9] == 1.0
    assert np.abs(np.array(legs["states"]["33"][9][:5]) - np.array(exact, float)).max() < 1e-4
    fractions = 0.5 - 0.5 * np.cos(np.pi * np.arange(121) / 120)
    assert np.abs(fractions - numbers["fractions"]).max() < 1e-5
    for memory in (legs, legt, fout):
        basis = hippo_fast.basis(memory["key"], 33, fractions)
        assert np.abs(np.array(numbers["bases"][memory["basis"]]) - basis).max() < 1e-3
    # More numbers hold more, at every moment at which there is something to hold.
    for memory in (legs, legt):
        assert memory["miss"]["5"][99] > memory["miss"]["33"][99]
