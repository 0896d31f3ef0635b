"""The template browser: the first steps come first under readable titles, and their pictures move."""

import json

import pytest
from zoetrope.devtools.paths import PACK
from zoetrope.tests.browser.session import ARTEFACTS
from zoetrope.tests.places import ROOT

NAMES = sorted(path.stem for path in (ROOT / "example_workflows").glob("*.json"))
CATEGORY = json.loads((ROOT / "locales" / "en" / "main.json").read_text(encoding="utf8"))[
    "templateWorkflows"
]["category"][PACK]
CARDS = (
    "[...document.querySelectorAll('[data-testid^=\"template-workflow-\"] h3')].map(title => title.innerText)"
)
CARD = "document.querySelectorAll('[data-testid^=\"template-workflow-\"]')[NUMBER]"
SCROLL = (
    "document.querySelectorAll('[data-testid^=\"template-workflow-\"]').forEach(card =>"
    " card.scrollIntoView())"
)


@pytest.fixture(scope="module")
def cards(browser):
    """The browser with our templates shown, all of them."""
    browser.evaluate(code="app.extensionManager.command.execute('Comfy.BrowseTemplates')")
    browser.click(selector=f"text={CATEGORY}")
    for _ in range(60):  # more come as one scrolls
        browser.evaluate(code=SCROLL)
        if browser.becomes(code=f"{CARDS}.length === {len(NAMES)}", seconds=3):
            break
    return browser


def test_titles_are_in_order(cards):
    assert cards.evaluate(code=CARDS) == NAMES


def test_every_template_has_a_picture_and_pictures_move(cards):
    for number in reversed(range(len(NAMES))):  # a picture is loaded when it comes into view
        card = CARD.replace("NUMBER", str(number))
        cards.evaluate(code=f"{card}.scrollIntoView({{ block: 'center' }})")
        assert cards.becomes(code=f"{card}.querySelector('img')?.naturalWidth > 0"), NAMES[number]
    seen = set()
    for i in range(30):
        file = ARTEFACTS / "template_browser" / f"shot_{i % 2}.png"
        cards.screenshot(file=str(file))
        seen.add(file.read_bytes())
        if len(seen) > 1:
            break
    assert len(seen) > 1
