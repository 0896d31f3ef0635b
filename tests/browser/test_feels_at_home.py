"""What makes the pack feel at home in the front end:
blueprints, foreign nodes replaced, Chinese, Nodes 2.0 and the classic canvas.
"""

import json

import pytest
from zoetrope.devtools.paths import PACK
from zoetrope.host.files.template_links import LINKS
from zoetrope.tests.browser.session import ARTEFACTS
from zoetrope.tests.comfy import standins
from zoetrope.tests.places import ROOT

BLUEPRINTS = sorted(path.stem for path in (ROOT / "subgraphs").glob("*.json"))
HAS_NODE = "app.graph.nodes.some(node => node.type === 'TYPE')"
SMALL = {"width": standins.WIDTH, "height": standins.HEIGHT, "num_frames": 5, "steps": 2}
# Sets widgets of the only node, whose output goes into Save Video, and returns how many were set.
USE_BLUEPRINT = """
(() => {
  const [node] = app.graph.nodes;
  const small = VALUES;
  let set = 0;
  for (const widget of node.widgets.filter(w => w.name in small)) {
    widget.value = small[widget.name];
    set += 1;
  }
  const saver = LiteGraph.createNode('SaveVideo');
  saver.pos = [node.pos[0] + 500, node.pos[1]];
  app.graph.add(saver);
  node.connect(0, saver, 0);
  return set;
})()
"""


def test_blueprints_are_found_by_the_search_and_run(browser, comfy_server):
    known = [
        entry["name"]
        for entry in comfy_server.request("/global_subgraphs").values()
        if entry["info"]["node_pack"].endswith(PACK)
    ]
    assert sorted(known) == BLUEPRINTS
    browser.evaluate(code="app.graph.clear()")
    browser.doubleClickAndType(x=800, y=500, text="AnimateDiff Text to Video")
    assert browser.sees(text="AnimateDiff Text to Video")
    browser.screenshot(file=str(ARTEFACTS / "blueprint" / "search.png"))
    for _ in range(20):  # a busy machine takes its time to find it, and a letter too early finds nothing
        browser.press(key="Enter")
        if browser.becomes(code="app.graph.nodes.length > 0", seconds=15):
            break
    placed = browser.nodes()
    assert placed["titles"] == ["AnimateDiff Text to Video"], placed
    assert browser.evaluate(code=USE_BLUEPRINT.replace("VALUES", json.dumps(SMALL))) == len(SMALL)
    ended = browser.run(seconds=400)
    assert ended["end"] == "execution_success", ended
    (video,) = [video for video in browser.videos() if video["duration"] > 0]
    assert (video["width"], video["height"]) == (standins.WIDTH, standins.HEIGHT)
    browser.screenshot(file=str(ARTEFACTS / "blueprint" / "done.png"))


@pytest.mark.parametrize("name", BLUEPRINTS)
def test_a_blueprint_is_whole(name, browser):
    """Opened as a file: every node inside is known, and every input of the blueprint reaches one."""
    path = ROOT / "subgraphs" / f"{name}.json"
    (subgraph,) = json.loads(path.read_text(encoding="utf8"))["definitions"]["subgraphs"]
    browser.drop(file=str(path))
    inside = browser.prompt()
    assert sorted(node["class_type"] for node in inside.values()) == sorted(
        node["type"] for node in subgraph["nodes"]
    )
    named = json.loads(path.read_text(encoding="utf8"))["nodes"][0]["inputs"]
    widgets = browser.evaluate(code="app.graph.nodes[0].widgets.map(widget => widget.name)")
    assert widgets == [entry["name"] for entry in named if "widget" in entry]
    assert browser.troubles() == []


OLD_WORKFLOW = {
    "id": "6d5a1c9e-53bd-4f6c-9b1a-2f4de3b0a7c1",
    "revision": 0,
    "last_node_id": 3,
    "last_link_id": 2,
    "groups": [],
    "config": {},
    "extra": {},
    "version": 0.4,
    "links": [[1, 1, 0, 2, 0, "LATENT"], [2, 2, 0, 3, 0, "LATENT"]],
    "nodes": [
        {
            "id": 1,
            "type": "ADE_EmptyLatentImageLarge",
            "pos": [0, 0],
            "size": [300, 110],
            "flags": {},
            "order": 0,
            "mode": 0,
            "inputs": [],
            "outputs": [{"name": "LATENT", "type": "LATENT", "links": [1]}],
            "properties": {"Node name for S&R": "ADE_EmptyLatentImageLarge"},
            "widgets_values": [72, 64, 5],
        },
        {
            "id": 2,
            "type": "VHS_DuplicateLatents",
            "pos": [400, 0],
            "size": [300, 80],
            "flags": {},
            "order": 1,
            "mode": 0,
            "inputs": [{"name": "latents", "type": "LATENT", "link": 1}],
            "outputs": [
                {"name": "LATENT", "type": "LATENT", "links": [2]},
                {"name": "count", "type": "INT", "links": []},
            ],
            "properties": {"Node name for S&R": "VHS_DuplicateLatents"},
            "widgets_values": {"multiply_by": 3},
        },
        {
            "id": 3,
            "type": "SaveLatent",
            "pos": [800, 0],
            "size": [300, 60],
            "flags": {},
            "order": 2,
            "mode": 0,
            "inputs": [{"name": "samples", "type": "LATENT", "link": 2}],
            "outputs": [],
            "properties": {"Node name for S&R": "SaveLatent"},
            "widgets_values": ["replaced"],
        },
    ],
}


def test_foreign_nodes_are_replaced_at_the_press_of_a_button(browser, tmp_path):
    file = tmp_path / "old.json"
    file.write_text(json.dumps(OLD_WORKFLOW), encoding="utf8")
    browser.drop(file=str(file), nodes=3)
    browser.click(selector='button:has-text("View details")')
    offered = browser.sees(text="Replace")
    browser.screenshot(file=str(ARTEFACTS / "replace" / "offered.png"))
    assert offered
    browser.click(selector='button:has-text("Replace All"), button:has-text("Replace")')
    replaced = browser.becomes(code=HAS_NODE.replace("TYPE", "ZoetropeRepeatFrames"))
    browser.screenshot(file=str(ARTEFACTS / "replace" / "done.png"))
    assert replaced
    assert sorted(browser.nodes()["types"]) == ["EmptyLatentImage", "SaveLatent", "ZoetropeRepeatFrames"]
    prompt = browser.prompt()
    latent, repeat = prompt["1"]["inputs"], prompt["2"]["inputs"]
    assert (latent["width"], latent["height"], latent["batch_size"]) == (72, 64, 5)
    assert repeat["frames"] == ["1", 0] and repeat["times"] == 3 and repeat["each_frame"] is False
    assert prompt["3"]["inputs"]["samples"] == ["2", 0]


def test_a_link_of_the_readme_opens_its_template(chromium):
    name = "AnimateDiff_text_to_video_SD1.5"
    link = f"?template={name}&source={PACK}"
    assert f"http://127.0.0.1:8188/{link}" in (ROOT / "README.md").read_text(encoding="utf8")
    nodes = json.loads((ROOT / "example_workflows" / f"{LINKS[name]}.json").read_text(encoding="utf8"))[
        "nodes"
    ]
    chromium.open(query=link)
    assert chromium.becomes(code=HAS_NODE.replace("TYPE", "ZoetropeApplyMotionModule"))
    assert sorted(chromium.nodes()["types"]) == sorted(node["type"] for node in nodes)


# Title of a node, name of one of its widgets, and where that widget is on the page.
SHOWN_TEXTS = """
(() => {
  const node = app.graph.nodes.find(n => n.type === 'ZoetropeApplyMotionModule');
  const widget = node.widgets.find(w => w.name === 'strength');
  const {scale, offset} = app.canvas.ds;
  const box = document.querySelector('#graph-canvas').getBoundingClientRect();
  const x = box.left + (node.pos[0] + node.size[0] / 2 + offset[0]) * scale;
  const y = box.top + (node.pos[1] + (widget.last_y ?? 0) + 10 + offset[1]) * scale;
  return {title: node.constructor.nodeData.display_name, widget: widget.label, x, y};
})()
"""


@pytest.mark.parametrize(("locale", "vue"), [("zh", False), ("zh", True), ("en", True), ("en", False)])
def test_titles_tooltips_and_help_in_both_languages_and_both_canvases(locale, vue, chromium):
    """Screenshots go to the artefacts, for eyes."""
    texts = json.loads((ROOT / "locales" / locale / "nodeDefs.json").read_text(encoding="utf8"))[
        "ZoetropeApplyMotionModule"
    ]
    chromium.open(settings={"Comfy.Locale": locale, "Comfy.VueNodes.Enabled": vue})
    found = chromium.drop(
        file=str(ROOT / "example_workflows" / "03 Text to video (AnimateDiff).json"), nodes=9
    )
    try:
        assert found["missing"] == []
        chromium.evaluate(code="app.extensionManager.command.execute('Comfy.Canvas.FitView')")
        chromium.screenshot(file=str(ARTEFACTS / "texts" / f"{locale}_{'vue' if vue else 'classic'}.png"))
        shown = chromium.evaluate(code=SHOWN_TEXTS)
        assert shown["title"] == texts["display_name"]
        assert shown["widget"] == texts["inputs"]["strength"]["name"]
        if vue:
            assert chromium.sees(text=texts["display_name"])
        else:
            chromium.hover(x=shown["x"], y=shown["y"])
            assert chromium.sees(text=texts["inputs"]["strength"]["tooltip"])
            chromium.screenshot(file=str(ARTEFACTS / "texts" / f"{locale}_tooltip.png"))
        chromium.evaluate(
            code="app.canvas.selectNode(app.graph.nodes.find(n => n.type === 'ZoetropeApplyMotionModule'))"
        )
        page = (ROOT / "web" / "docs" / "ZoetropeApplyMotionModule" / f"{locale}.md").read_text(
            encoding="utf8"
        )
        served = chromium.evaluate(
            code=(
                f"fetch('/extensions/{PACK}/docs/ZoetropeApplyMotionModule/{locale}.md').then(answer =>"
                " answer.text())"
            )
        )
        assert served == page
        assert chromium.troubles() == []
    finally:
        chromium.open()
