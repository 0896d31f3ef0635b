"""The pictures of the help pages: every one that a page names is there, none is there for nothing, and the
plan is that of the code.
"""

import re

import numpy as np
import pytest
from PIL import Image
from zoetrope.samplers.context_schedules import create_context_windows

from ..places import ROOT

DOCS = ROOT / "web" / "docs"
PAGES = sorted(DOCS.glob("*/*.md"))
PLAN = DOCS / "ZoetropeShowContextWindows" / "plan.png"
WIDEST = 560  # twice the width of the panel
GREY_CELL = 255 * 0.2  # of a frame that a window does not have


def named(page):
    """Pictures as the front end finds them: relative to the folder of all pages."""
    return re.findall(r"!\[[^\]]+\]\(([^)]+)\)", page.read_text(encoding="utf8"))


def test_every_picture_that_a_page_names_is_there_and_every_one_is_named():
    assert {name for page in PAGES for name in named(page)} == {
        path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.png")
    }


@pytest.mark.parametrize("path", sorted(DOCS.rglob("*.png")), ids=lambda path: path.stem)
def test_pictures_are_small(path):
    with Image.open(path) as image:
        assert 128 <= image.width <= WIDEST
    assert path.stat().st_size < 40_000


def test_pages_have_no_html_and_code_fits_into_the_panel():
    """28 letters of code are as wide as the panel when a page is opened."""
    for page in PAGES:
        text = page.read_text(encoding="utf8")
        assert re.findall(r"^\s*</?\w+", text, flags=re.MULTILINE) == []
        lines = [
            line
            for block in re.findall(r"```\n(.*?)```", text, flags=re.DOTALL)
            for line in block.splitlines()
        ]
        assert [line for line in lines if len(line) > 28] == [], page


def test_the_plan_is_that_of_the_schedule():
    """Coloured cells of the picture are the frames of the windows of the first four steps;
    a gap of 6 pixels follows each step.
    """
    pixels = np.asarray(Image.open(PLAN).convert("RGB")).astype(float)
    cell, top = pixels.shape[1] // 28, 0
    for step in range(4):
        for window in create_context_windows("standard_uniform", 28, 12, 4, step=step):
            row = pixels[top + cell // 2, cell // 2 :: cell]
            coloured = np.abs(row - GREY_CELL).max(1) > 12
            assert np.flatnonzero(coloured).tolist() == sorted(window)
            top += cell
        top += 6
    assert top - 6 == pixels.shape[0]
