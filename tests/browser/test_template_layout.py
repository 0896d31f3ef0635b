"""Every example workflow and blueprint as it opens:
no node covers another, in both canvases, also inside of subgraphs.
"""

import json

import pytest
from zoetrope.tests.browser.session import ARTEFACTS
from zoetrope.tests.places import ROOT

FILES = [*sorted((ROOT / "example_workflows").glob("*.json")), *sorted((ROOT / "subgraphs").glob("*.json"))]
TITLE = 30  # pixels above a node's position that its title takes in the classic canvas
# The boxes of the nodes of the graph that is open, in its own units: of the page's elements, and as the
# classic canvas draws them.
DOM_BOXES = """(() => {
  const {scale, offset} = app.canvas.ds;
  const page = document.querySelector('#graph-canvas').getBoundingClientRect();
  return [...document.querySelectorAll('[data-node-id]')].map(element => {
    const box = element.getBoundingClientRect();
    const { nodeId } = element.dataset;
    return [`${app.canvas.graph.getNodeById(nodeId).type} ${nodeId}`,
      (box.left - page.left) / scale - offset[0], (box.top - page.top) / scale - offset[1],
      box.width / scale, box.height / scale];
  });
})()"""
CANVAS_BOXES = """app.canvas.graph.nodes.map(node =>
  [`${node.type} ${node.id}`, node.pos[0], node.pos[1] - TITLE, node.size[0], node.size[1] + TITLE])"""
ALL_SHOWN = "document.querySelectorAll('[data-node-id]').length === app.canvas.graph.nodes.length"
# Values of lists that are not among the choices, of every node and of every subgraph's nodes:
# what the editor marks red.
NOT_THERE = """[app.rootGraph, ...app.rootGraph.subgraphs.values()].flatMap(g => g.nodes).flatMap(node =>
  (node.widgets ?? []).filter(widget => widget.type === 'combo' && widget.options?.values?.length)
    .filter(widget => !widget.options.values.map(String).includes(String(widget.value)))
    .map(widget => `${node.type}: ${widget.value}`))"""
WITHOUT_A_STAND_IN = {"CLIPLoader: t5xxl_fp16.safetensors"}  # 9 GB
SETTLED = """new Promise(done => {
  let last = '', same = 0;
  const look = () => {
    const nodes = [...document.querySelectorAll('[data-node-id]')];
    const now = JSON.stringify(nodes.map(e => [e.offsetWidth, e.offsetHeight]));
    same = now === last ? same + 1 : 0;
    last = now;
    same < 5 ? setTimeout(look, 100) : done(true);
  };
  look();
})"""


def overlapping(boxes):
    """Pairs of names whose boxes share more than a pixel's edge."""
    found = []
    for i, (a, ax, ay, aw, ah) in enumerate(boxes):
        for b, bx, by, bw, bh in boxes[i + 1 :]:
            if ax + 1 < bx + bw and bx + 1 < ax + aw and ay + 1 < by + bh and by + 1 < ay + ah:
                found.append((a, b))
    return found


def boxes_of_open_graph(browser, vue):
    browser.evaluate(code="app.extensionManager.command.execute('Comfy.Canvas.FitView')")
    if not vue:
        return browser.evaluate(code=CANVAS_BOXES.replace("TITLE", str(TITLE)))
    assert browser.becomes(code=ALL_SHOWN)
    browser.evaluate(code=SETTLED)
    return browser.evaluate(code=DOM_BOXES)


@pytest.fixture(scope="module", params=[True, False], ids=["nodes-2", "classic"])
def page(request, chromium):
    chromium.open(settings={"Comfy.VueNodes.Enabled": request.param})
    yield chromium, request.param
    chromium.open()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_nothing_covers_anything(file, page):
    browser, vue = page
    workflow = json.loads(file.read_text(encoding="utf8"))
    assert browser.drop(file=str(file), nodes=len(workflow["nodes"]))["types"]
    assert set(browser.evaluate(code=NOT_THERE)) <= WITHOUT_A_STAND_IN
    subgraphs = {entry["id"] for entry in workflow.get("definitions", {}).get("subgraphs", [])}
    hosts = [node["id"] for node in workflow["nodes"] if node["type"] in subgraphs]
    for host in [None, *hosts]:
        if host:
            found = f"app.graph.getNodeById({host})"
            browser.evaluate(code=f"app.canvas.openSubgraph({found}.subgraph, {found})")
        boxes = boxes_of_open_graph(browser, vue)
        name = f"{'nodes_2' if vue else 'classic'} {file.stem} {host or ''}".strip()
        browser.screenshot(file=str(ARTEFACTS / "layout" / f"{name}.png"))
        assert len(boxes) > 0 and overlapping(boxes) == []
        browser.evaluate(code="app.canvas.setGraph(app.graph)")
