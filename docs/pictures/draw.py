"""Draws the pictures of the documentation into docs/_static: ``python docs/pictures/draw.py [--output FOLDER]``."""

from __future__ import annotations

import argparse
from pathlib import Path

import figures
import matplotlib as mpl
import slider

STATIC = Path(__file__).resolve().parents[1] / "_static"


def main() -> None:
    """Write every picture, and the page with the slider."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=STATIC, help="folder to write into (default: docs/_static)")
    folder: Path = parser.parse_args().output
    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(figures.STYLE):
        for name, draw in figures.FIGURES.items():
            (folder / f"hippo-{name}.svg").write_text(figures.svg(draw()), encoding="utf-8")
    (folder / "hippo-slider.html").write_text(slider.page(), encoding="utf-8")


if __name__ == "__main__":
    main()
