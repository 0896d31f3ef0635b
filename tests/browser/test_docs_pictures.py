"""The photographs of docs/: a picture of the graph alone, with what the run made in it."""

import numpy as np
import pytest
from PIL import Image
from zoetrope.demo import screenshots
from zoetrope.tests.browser.session import ARTEFACTS

COLOURFUL = 100  # levels between the largest and the smallest of red, green and blue


@pytest.fixture
def page(chromium):
    """The browser; later tests find the usual page."""
    yield chromium
    chromium.open()


def test_the_plan_is_photographed(page):
    file = ARTEFACTS / "docs" / "plan.png"
    file.parent.mkdir(parents=True, exist_ok=True)
    screenshots.photograph_plan(page, file)
    with Image.open(file) as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    left, top, width, height = screenshots.PLAN["image"][1]
    right, bottom = (
        max(place[i] + place[i + 2] for _, place, _ in screenshots.PLAN.values()) for i in (0, 1)
    )
    assert pixels.shape[1] >= (right + screenshots.MARGIN) * screenshots.SCALE
    colourful = np.ptp(pixels, axis=-1) > COLOURFUL
    rows = slice(round(-height * screenshots.SCALE), None)
    assert bottom == top + height and colourful[rows, round(left * screenshots.SCALE) :].mean() > 0.05
