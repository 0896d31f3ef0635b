"""Every help page in the panel that the front end opens for it:
nothing is cut off at its edge, and its pictures are there.
"""

import json

import pytest
from zoetrope.tests.browser.session import ARTEFACTS
from zoetrope.tests.places import ROOT

NODES = sorted(path.parent.name for path in (ROOT / "web" / "docs").glob("*/en.md"))
SHOWN = "document.querySelector('.node-help-content h1')?.innerText === TITLE"
SELECT = """(() => {
  app.graph.clear();
  const node = LiteGraph.createNode(TYPE);
  app.graph.add(node);
  app.canvas.selectNode(node);
})()"""
# What does not fit: elements that stick out of the page, or have to be scrolled sideways;
# and pictures that did not come.
TOO_WIDE = """(async () => {
  const page = document.querySelector('.node-help-content');
  const { right } = page.getBoundingClientRect();
  await Promise.all([...page.querySelectorAll('img')].map(image => image.decode().catch(() => null)));
  return [...page.querySelectorAll('*')]
    .filter(e => e.getBoundingClientRect().right > right + 1
      || e.clientWidth && e.scrollWidth > e.clientWidth + 1
      || e.tagName === 'IMG' && !e.naturalWidth)
    .map(e => `${e.tagName} ${(e.innerText || e.src).slice(0, 60)}`);
})()"""


@pytest.fixture(scope="module", params=["en", "zh"])
def panel(request, chromium):
    """The browser in one language with the panel open, and the titles of the nodes in that language."""
    texts = json.loads((ROOT / "locales" / request.param / "nodeDefs.json").read_text(encoding="utf8"))
    chromium.open(settings={"Comfy.Locale": request.param})
    chromium.evaluate(code=SELECT.replace("TYPE", json.dumps(NODES[0])))
    label = {"en": "Node Info", "zh": "节点信息"}[request.param]
    chromium.click(selector=f'button[aria-label="{label}"]')
    yield chromium, request.param, {node: texts[node]["display_name"] for node in NODES}
    chromium.open()


@pytest.mark.parametrize("node", NODES)
def test_a_page_fits_into_the_panel(node, panel):
    browser, locale, titles = panel
    browser.evaluate(code=SELECT.replace("TYPE", json.dumps(node)))
    assert browser.becomes(code=SHOWN.replace("TITLE", json.dumps(titles[node])))
    too_wide = browser.evaluate(code=TOO_WIDE)
    if too_wide or "Context" in node:
        browser.screenshot(file=str(ARTEFACTS / "help" / f"{node}_{locale}.png"))
    assert too_wide == []
