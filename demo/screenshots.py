"""Pictures of the pack in ComfyUI's front end: the demo in headless Chromium, as the browser tests drive it.

Graphs are laid out closely here, so that their texts can be read where a page shows a picture half as large.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import pathlib
import sys
import tempfile

from PIL import Image, ImageSequence

from ..devtools.base_folder import make_base, put_demo_weights
from ..devtools.comfyui import find_comfyui
from ..devtools.paths import DEMO_WORKFLOW
from ..devtools.server import ComfyServer
from ..frame_tools.selection import evenly_spread
from .strip import save_webp

SETTINGS = {"Comfy.VueNodes.Enabled": False, "Comfy.Graph.CanvasInfo": False}
PATIENCE = 600.0  # seconds for a run of the demo, on a machine that has other things to do
SCALE = 1.2  # pixels of a unit of the graph
LEFT, TOP = 62, 100  # units from the corner of the page to the first node, clear of the menus
MARGIN, BADGE = 14, 26  # pixels around the nodes, and above them for the names of packs

Layout = dict[int, tuple[int, int, int, int]]
"""Number of a node of the demo's workflow -> left, top, width and height in units of the graph."""
WORKFLOW: Layout = {
    2: (0, 0, 270, 98), 3: (0, 150, 270, 58), 7: (0, 280, 270, 106),
    5: (310, 0, 308, 88), 6: (310, 140, 308, 88), 4: (310, 280, 308, 200),
    12: (660, 0, 270, 130), 8: (660, 185, 270, 290),
    9: (970, 0, 290, 46), 10: (970, 95, 290, 102), 11: (970, 246, 290, 240),
}  # fmt: skip
SAMPLING: Layout = {12: (0, 0, 270, 130), 5: (0, 185, 308, 110), 8: (350, 0, 300, 560)}
SAMPLER, VIDEO = 8, 11  # numbers of KSampler and Save Video
SHOWN_STEPS = 4  # of the sampling in the live preview

PLAN = {
    "checkpoint": ("CheckpointLoaderSimple", (0, 0, 290, 98), {}),
    "windows": ("ZoetropeApplyContextWindows", (0, 150, 290, 274), {"context_schedule": "standard_uniform"}),
    "plan": ("ZoetropeShowContextWindows", (340, 0, 290, 106), {"num_frames": 64, "steps": 4}),
    "image": ("PreviewImage", (340, 180, 820, 330), {}),
    "text": ("PreviewAny", (680, 0, 480, 130), {}),
}
"""Name -> type of a node, its place, and the values of widgets that are not the usual ones."""
PLAN_LINKS = [
    ("checkpoint", 0, "windows", "model"), ("windows", 0, "plan", "model"),
    ("plan", 0, "image", "images"), ("plan", 1, "text", "source"),
]  # fmt: skip

MAKE_GRAPH = """(() => {
  app.graph.clear();
  const made = {};
  for (const [name, [type, [x, y, width, height], values]] of Object.entries(NODES)) {
    const node = made[name] = LiteGraph.createNode(type);
    app.graph.add(node);
    node.pos = [x, y];
    node.size = [width, height];
    for (const widget of node.widgets ?? []) widget.value = values[widget.name] ?? widget.value;
  }
  for (const [from, output, to, input] of LINKS) {
    made[from].connect(output, made[to], made[to].findInputSlot(input));
  }
})()"""
SET_VIEW = f"""(() => {{
  app.canvas.ds.scale = {SCALE};
  app.canvas.ds.offset = [{LEFT}, {TOP}];
  app.canvas.deselectAll();
  app.canvas.setDirty(true, true);
}})()"""
BOX = """(() => {
  const { scale, offset } = app.canvas.ds;
  const boxes = app.graph.nodes.map(node => node.getBounding());
  const near = axis => Math.min(...boxes.map(box => box[axis]));
  const far = axis => Math.max(...boxes.map(box => box[axis] + box[axis + 2]));
  return [near(0), near(1), far(0), far(1)].map((edge, i) => (edge + offset[i % 2]) * scale);
})()"""
IMAGE_IS_HERE = "app.graph.nodes.some(node => node.type === 'PreviewImage' && node.imgs?.[0]?.naturalWidth)"
NODE_HOLDS_VIDEO = f"app.graph.getNodeById({VIDEO}).size[1] > {WORKFLOW[VIDEO][3]}"
HIDE_MENUS = """(() => {
  const isOutside = element => element.parentElement.querySelector('#graph-canvas');
  for (let element of document.querySelectorAll('[data-testid="queue-button"]')) {
    while (!isOutside(element)) element = element.parentElement;
    element.style.display = 'none';
  }
})()"""
KEEP_PREVIEWS = """(() => {
  window.zoetropePreviews = [];
  app.api.addEventListener('b_preview', async ({ detail }) => {
    const bytes = new Uint8Array(await detail.arrayBuffer());
    window.zoetropePreviews.push(btoa(bytes.reduce((text, byte) => text + String.fromCharCode(byte), '')));
  });
})()"""
SHOW_FRAME = f"""(async () => {{
  const image = new Image();
  image.src = 'data:image/png;base64,' + CONTENT;
  await image.decode();
  const node = app.graph.getNodeById({SAMPLER});
  node.imgs = [image];
  node.progress = PROGRESS;
  app.canvas.setDirty(true, true);
}})()"""


@contextlib.contextmanager
def front_end():
    """ComfyUI's server with the demo's models, and a browser that shows its front end."""
    from ..tests.browser.session import Browser

    with tempfile.TemporaryDirectory() as folder:
        base = make_base(pathlib.Path(folder) / "base")
        put_demo_weights(base / "models")
        log = pathlib.Path(folder) / "server.log"
        with ComfyServer(sys.executable, find_comfyui(), base, log=log) as server:
            browser = Browser(server.url)
            try:
                yield browser
            finally:
                browser.end()


def laid_out(layout: Layout) -> dict:
    """The demo's workflow with the nodes of a layout alone, at its places; the seed stays as it is."""
    workflow = json.loads(DEMO_WORKFLOW.read_text(encoding="utf8"))
    workflow["nodes"] = [node for node in workflow["nodes"] if node["id"] in layout]
    here = {node["id"] for node in workflow["nodes"]}
    workflow["links"] = [link for link in workflow["links"] if {link[1], link[3]} <= here]
    workflow["groups"] = []
    for node in workflow["nodes"]:
        left, top, width, height = layout[node["id"]]
        node.update(pos=[left, top], size=[width, height])
        if node["id"] == SAMPLER:
            node["widgets_values"][1] = "fixed"
    return workflow


def show(browser, code: str) -> None:
    """A new page with the graph that an expression makes."""
    browser.open(settings=SETTINGS)
    browser.evaluate(code=code)
    browser.evaluate(code=SET_VIEW)


def show_demo(browser, layout: Layout) -> None:
    show(browser, f"app.loadGraphData({json.dumps(laid_out(layout))})")


def run(browser) -> None:
    """Runs what is shown. Raises RuntimeError where that does not succeed."""
    end = browser.run(seconds=PATIENCE)
    if end["end"] != "execution_success":
        raise RuntimeError(f"the run ended with {end}; run it in python dev.py serve to see why.")


def photo(browser) -> Image.Image:
    """The nodes that are shown, and a margin; no menu or message covers them."""
    browser.evaluate(code=HIDE_MENUS)
    left, top, right, bottom = browser.evaluate(code=BOX)
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "page.png"
        browser.screenshot(file=str(file))
        with Image.open(file) as page:
            box = (left - MARGIN, top - MARGIN - BADGE, right + MARGIN, bottom + MARGIN)
            return page.convert("RGB").crop(tuple(round(edge) for edge in box))


def photograph_workflow(browser, path: pathlib.Path) -> list[bytes]:
    """The demo's workflow after a run. Returns the previews that came while it ran, each a WebP file."""
    show_demo(browser, WORKFLOW)
    browser.evaluate(code=KEEP_PREVIEWS)
    run(browser)
    browser.videos()
    browser.becomes(code=NODE_HOLDS_VIDEO)
    photo(browser).save(path, optimize=True)
    return [base64.b64decode(preview) for preview in browser.evaluate(code="window.zoetropePreviews")]


def photograph_plan(browser, path: pathlib.Path) -> None:
    """Show Context Windows with its plan and its words."""
    code = MAKE_GRAPH.replace("NODES", json.dumps(PLAN)).replace("LINKS", json.dumps(PLAN_LINKS))
    show(browser, code)
    run(browser)
    browser.becomes(code=IMAGE_IS_HERE)
    photo(browser).save(path, optimize=True)


def photograph_previews(browser, previews: list[bytes], path: pathlib.Path) -> None:
    """KSampler with each frame of a few previews, photographed one by one so that the clip moves evenly."""
    show_demo(browser, SAMPLING)
    photos = []
    for number in evenly_spread(len(previews), SHOWN_STEPS):
        for frame in frames_of(previews[number]):
            progress = (number + 1) / len(previews)
            code = SHOW_FRAME.replace("CONTENT", json.dumps(frame)).replace("PROGRESS", str(progress))
            browser.evaluate(code=code)
            photos.append(photo(browser))
    save_webp(photos, path, quality=60)


def frames_of(preview: bytes) -> list[str]:
    """The frames of an animated picture as PNG in base64."""
    frames = []
    with Image.open(io.BytesIO(preview)) as clip:
        for frame in ImageSequence.Iterator(clip):
            out = io.BytesIO()
            frame.convert("RGB").save(out, "PNG")
            frames.append(base64.b64encode(out.getvalue()).decode("ascii"))
    return frames
