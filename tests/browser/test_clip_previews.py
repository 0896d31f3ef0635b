"""While a sampler runs, the whole clip is seen: moving, or as a sheet, in both canvases."""

import json
import time

import pytest
from zoetrope.tests.browser.session import ARTEFACTS
from zoetrope.tests.comfy import standins
from zoetrope.tests.places import ROOT

WORKFLOW = ROOT / "example_workflows" / "08 Compare clips, contact sheet.json"
# The first bytes and the size of the newest preview of any node; `b_preview` is what the front end shows.
LISTEN = """(() => {
  window.zoetropePreviews = [];
  window.app.api.addEventListener('b_preview', async event => {
    window.zoetropeNewest = event.detail;
    const bytes = new Uint8Array(await event.detail.arrayBuffer());
    const bitmap = await createImageBitmap(event.detail);
    const text = new TextDecoder('latin1').decode(bytes);
    const frames = text.split('ANMF').length - 1;
    window.zoetropePreviews.push({ kind: text.slice(8, 12), frames, width: bitmap.width });
  });
})()"""
PREVIEW_SHOWN = (
    """[...document.querySelectorAll('img[src^="blob:"]')].some(image => image.naturalWidth && image.width)"""
)
MOVING_PICTURE = (
    """[...document.querySelectorAll('.dom-widget img[src^="blob:"]')].some(image => image.naturalWidth)"""
)
# One preview over the whole page:
# whatever then changes in a screenshot is that clip, not the progress of the run.
COVER = """(async () => {
  const cover = document.createElement('img');
  cover.src = URL.createObjectURL(window.zoetropeNewest);
  cover.style = 'position: fixed; inset: 0; width: 100vw; height: 100vh; z-index: 100000';
  document.body.append(cover);
  await cover.decode();
})()"""


def start(browser, mode, tmp_path, **settings):
    """Opens the workflow with long sampling in `mode` and starts it."""
    workflow = standins.shrink(json.loads(WORKFLOW.read_text(encoding="utf8")))
    for node in workflow["nodes"]:
        if node["type"] == "KSampler":
            node["widgets_values"][2] = 400
        if node["type"] == "ZoetropePreviewClip":
            node["widgets_values"][0] = mode
    file = tmp_path / "workflow.json"
    file.write_text(json.dumps(workflow), encoding="utf8")
    browser.open(settings=settings)
    assert browser.drop(file=str(file), nodes=len(workflow["nodes"]))["missing"] == []
    browser.evaluate(code=LISTEN)
    browser.evaluate(code="window.app.queuePrompt(0)")


def previews(browser):
    """Waits for a few previews and returns them."""
    assert browser.becomes(code="window.zoetropePreviews.length >= 2"), "no previews came"
    return browser.evaluate(code="window.zoetropePreviews")


@pytest.fixture
def page(browser):
    """The browser; what was started in it is ended, and nothing is left that moves and has to be drawn."""
    yield browser
    browser.evaluate(code="window.app.api.interrupt(null)")
    browser.evaluate(code="window.app.graph.clear()")


def test_the_clip_moves_in_nodes_2(page, tmp_path):
    start(page, "animation", tmp_path, **{"Comfy.VueNodes.Enabled": True})
    found = previews(page)
    assert found[0]["kind"] == "WEBP" and found[0]["frames"] == 5
    assert page.becomes(code=PREVIEW_SHOWN)
    page.evaluate(code=COVER)
    images, ends = set(), time.monotonic() + 300  # a busy browser shows a frame of a clip for seconds
    while len(images) < 2 and time.monotonic() < ends:
        file = ARTEFACTS / "clip_preview" / f"nodes_2_{len(images)}.png"
        page.screenshot(file=str(file))
        images.add(file.read_bytes())
    assert len(images) == 2


def test_the_clip_moves_in_the_classic_canvas(page, tmp_path):
    """As a picture of the page, which the browser moves; on the canvas it would be its first frame."""
    start(page, "animation", tmp_path)
    assert previews(page)[0]["frames"] == 5
    assert page.becomes(code=MOVING_PICTURE)
    page.screenshot(file=str(ARTEFACTS / "clip_preview" / "classic.png"))
    page.evaluate(code="window.app.api.interrupt(null)")
    assert page.becomes(code=f"!({MOVING_PICTURE})")
    assert page.becomes(code="!app.graph.nodes.some(node => node.animatedImages)")


def test_the_sheet_is_seen_in_the_classic_canvas(page, tmp_path):
    start(page, "contact sheet", tmp_path)
    found = previews(page)
    assert found[0]["frames"] == 0 and found[0]["width"] > standins.WIDTH
    shown = page.becomes(
        code="window.app.graph.nodes.some(node => node.imgs?.length && node.type === 'KSampler')"
    )
    page.screenshot(file=str(ARTEFACTS / "clip_preview" / "sheet.png"))
    assert shown
