"""Nodes of VideoHelperSuite, which is not installed, keep their values when "Replace" exchanges them.

Its files hold the values as an object, {"multiply_by": 3, "videopreview": {...}}; older ones hold a list.
What each node was told stands in TOLD; nothing of the pack is asked for it.
"""

import json

import pytest
from zoetrope.tests.browser.session import ARTEFACTS

PREVIEW = {"videopreview": {"hidden": False, "params": {"filename": "a.mp4", "type": "output"}}}
ALWAYS, MUTED, BYPASSED = 0, 2, 4
TIMES = {"each_frame": False}  # what Repeat Frames has besides
SELECT = {"err_if_missing": True, "err_if_empty": False}
# id: type, values in the file, {widget: value} of the new node, mode
TOLD = {
    1: ("VHS_DuplicateImages", {"multiply_by": 3, **PREVIEW}, {"times": 3, **TIMES}, ALWAYS),
    2: ("VHS_DuplicateMasks", {"videopreview": None, "multiply_by": 5}, {"times": 5, **TIMES}, ALWAYS),
    3: ("VHS_DuplicateLatents", {"multiply_by": 7}, {"times": 7, **TIMES}, ALWAYS),
    4: ("VHS_SelectImages", {"indexes": "0:8:2,-1", **SELECT}, {"selection": "0:8:2,-1"}, ALWAYS),
    5: ("VHS_SelectMasks", {**SELECT, "indexes": "3"}, {"selection": "3"}, ALWAYS),
    6: ("VHS_SelectLatents", {"indexes": "-2,1"}, {"selection": "-2,1"}, ALWAYS),
    7: ("VHS_SplitImages", {"split_index": -3}, {"position": -3}, ALWAYS),
    8: ("VHS_SplitMasks", {"split_index": 11}, {"position": 11}, ALWAYS),
    9: ("VHS_SplitLatents", {"split_index": 2, "from a later version": [1, 2]}, {"position": 2}, ALWAYS),
    10: ("VHS_DuplicateImages", {"multiply_by": 13, **PREVIEW}, {"times": 13, **TIMES}, MUTED),
    11: ("VHS_DuplicateImages", {"multiply_by": 17}, {"times": 17, **TIMES}, BYPASSED),
    12: ("VHS_DuplicateImages", [19], {"times": 19, **TIMES}, ALWAYS),
    13: ("VHS_SelectImages", ["::3", True, True], {"selection": "::3"}, ALWAYS),
    14: ("VHS_DuplicateImages", {}, {"times": 2, **TIMES}, ALWAYS),  # the default of Repeat Frames
    15: ("VHS_DuplicateImages", {"multiply_by": None}, {"times": 2, **TIMES}, ALWAYS),
    16: ("ADE_EmptyLatentImageLarge", [72, 64, 5], {"width": 72, "height": 64, "batch_size": 5}, ALWAYS),
    17: ("VHS_MergeImages", {"merge_strategy": "match B", "scale_method": "area"}, {"crossfade": 0}, ALWAYS),
    18: ("VHS_VAEDecodeBatched", {"per_batch": 4}, {}, ALWAYS),
}  # fmt: skip
PACKED = {21: ("VHS_DuplicateMasks", {"multiply_by": 23, **PREVIEW}, {"times": 23, **TIMES}, ALWAYS)}
DEEPER = {31: ("VHS_SelectLatents", {"indexes": "5,7"}, {"selection": "5,7"}, ALWAYS)}
SUBGRAPH, INNER = "8f3b9a52-0c1d-4e5f-8a6b-7c8d9e0f1a2b", "1a2b3c4d-5e6f-4a7b-8c9d-0e1f2a3b4c5d"


def node(number, kind, values, mode=ALWAYS, inputs=(), outputs=()):
    return {
        "id": number, "type": kind, "pos": [300 * (number % 7), 200 * (number // 7)], "size": [280, 110],
        "flags": {}, "order": number, "mode": mode, "inputs": list(inputs), "outputs": list(outputs),
        "properties": {"Node name for S&R": kind}, "widgets_values": values,
    }  # fmt: skip


def taken(name, kind, link, **more):
    return {"name": name, "type": kind, "link": link, **more}


def given(name, kind, *links):
    return {"name": name, "type": kind, "links": list(links)}


def nodes_of(told):
    return [node(number, kind, values, mode) for number, (kind, values, _, mode) in told.items()]


def subgraph(number, name, nodes):
    return {
        "id": number, "version": 1, "revision": 0, "config": {}, "name": name, "inputs": [], "outputs": [],
        "widgets": [], "nodes": nodes, "groups": [], "links": [], "extra": {},
        "state": {"lastGroupId": 0, "lastNodeId": 40, "lastLinkId": 0, "lastRerouteId": 0},
        "inputNode": {"id": -10, "bounding": [-200, 0, 120, 60]},
        "outputNode": {"id": -20, "bounding": [900, 0, 120, 60]},
    }  # fmt: skip


def workflow(nodes, links=(), subgraphs=()):
    return {
        "id": "6d5a1c9e-53bd-4f6c-9b1a-2f4de3b0a7c1", "revision": 0, "last_node_id": 60,
        "last_link_id": 9, "version": 0.4, "groups": [], "config": {}, "extra": {},
        "links": list(links), "nodes": nodes,
        "definitions": {"subgraphs": list(subgraphs)},
    }  # fmt: skip


def open_workflow(browser, content, tmp_path):
    file = tmp_path / "old.json"
    file.write_text(json.dumps(content), encoding="utf8")
    browser.drop(file=str(file), nodes=len(content["nodes"]))


def press_replace(browser, name, opener="View details"):
    browser.click(selector=f'button:has-text("{opener}")')
    assert browser.sees(text="Replace")
    browser.screenshot(file=str(ARTEFACTS / "replaced_values" / f"{name}_offered.png"))
    browser.click(selector='button:has-text("Replace All"), button:has-text("Replace")')
    assert browser.becomes(code=f"({MISSING}).length === 0"), browser.evaluate(code=MISSING)
    browser.screenshot(file=str(ARTEFACTS / "replaced_values" / f"{name}_done.png"))


EVERY_NODE = "[app.rootGraph, ...app.rootGraph.subgraphs.values()].flatMap(graph => graph.nodes)"
MISSING = f"{EVERY_NODE}.filter(node => node.last_serialization).map(node => node.type)"
WIDGETS = "Object.fromEntries((node.widgets ?? []).map(widget => [widget.name, widget.value]))"
VALUES = f"Object.fromEntries({EVERY_NODE}.map(node => [node.id, {WIDGETS}]))"
SAVED = "JSON.parse(JSON.stringify(app.rootGraph.serialize()))"

COMMAND = """(() => {
  app.canvas.selectItems(app.rootGraph.nodes);
  app.extensionManager.command.execute('NAME');
})()"""


def values_by_type(browser):
    """Of nodes whose numbers may have changed: (type, values), in a fixed order."""
    pairs = browser.evaluate(code=f"{EVERY_NODE}.map(node => [node.type, {WIDGETS}])")
    return sorted(((kind, values) for kind, values in pairs), key=str)


@pytest.mark.parametrize("vue", [False, True], ids=["classic", "nodes 2.0"])
def test_every_value_is_kept(vue, chromium, tmp_path):
    inner = subgraph(INNER, "deeper", nodes_of(DEEPER))
    outer = subgraph(SUBGRAPH, "packed", [*nodes_of(PACKED), node(22, INNER, [])])
    content = workflow([*nodes_of(TOLD), node(20, SUBGRAPH, [])], subgraphs=[outer, inner])
    chromium.open(settings={"Comfy.VueNodes.Enabled": vue})
    open_workflow(chromium, content, tmp_path)
    saved = chromium.evaluate(code=SAVED)
    graphs = [saved, *saved["definitions"]["subgraphs"]]
    kept = {inside["id"]: inside.get("widgets_values") for graph in graphs for inside in graph["nodes"]}
    told = TOLD | PACKED | DEEPER
    assert {number: kept[number] for number in told} == {number: told[number][1] for number in told}
    press_replace(chromium, "nodes_2" if vue else "classic")
    values = chromium.evaluate(code=VALUES)
    expected = {str(number): new for number, (_, _, new, _) in told.items()}
    assert {number: values[number] for number in expected} == expected
    modes = chromium.evaluate(code="[10, 11].map(id => app.rootGraph.getNodeById(id).mode)")
    assert modes == [MUTED, BYPASSED]
    assert chromium.troubles() == []


def test_a_widget_that_is_fed_by_a_link_stays_linked(browser, tmp_path):
    """The value behind the link is kept too, for the one who cuts it."""
    fed = taken("multiply_by", "INT", 2, widget={"name": "multiply_by"})
    repeat = node(
        3, "VHS_DuplicateLatents", {"multiply_by": 7}, inputs=[taken("latents", "LATENT", 1), fed],
        outputs=[given("LATENT", "LATENT", 3), given("count", "INT", 4)],
    )  # fmt: skip
    number = node(2, "PrimitiveInt", [5, "fixed"], outputs=[given("INT", "INT", 2)])
    latent = node(1, "EmptyLatentImage", [72, 64, 5], outputs=[given("LATENT", "LATENT", 1)])
    saver = node(4, "SaveLatent", ["kept"], inputs=[taken("samples", "LATENT", 3)])
    count = node(5, "PreviewAny", [], inputs=[taken("source", "*", 4)])
    links = [
        [1, 1, 0, 3, 0, "LATENT"], [2, 2, 0, 3, 1, "INT"], [3, 3, 0, 4, 0, "LATENT"], [4, 3, 1, 5, 0, "INT"],
    ]  # fmt: skip
    open_workflow(browser, workflow([latent, number, repeat, saver, count], links), tmp_path)
    press_replace(browser, "linked")
    prompt = browser.prompt()
    assert prompt["3"]["inputs"] == {"frames": ["1", 0], "times": ["2", 0], "each_frame": False}
    assert (prompt["4"]["inputs"]["samples"], prompt["5"]["inputs"]["source"]) == (["3", 0], ["3", 1])
    assert browser.evaluate(code=VALUES)["3"]["times"] == 7
    drawn = browser.evaluate(code="app.rootGraph.getNodeById(3).outputs.map(output => output.links)")
    assert drawn == [[3], [4]]


def test_a_cut_keeps_each_of_its_outputs(browser, tmp_path):
    """VHS gives each part before its count; Split Frames gives both parts first."""
    names = ["IMAGE_A", "A_count", "IMAGE_B", "B_count"]
    kinds = ["IMAGE", "INT", "IMAGE", "INT"]
    outputs = [given(name, kind, i + 1) for i, (name, kind) in enumerate(zip(names, kinds, strict=True))]
    cut = node(1, "VHS_SplitImages", {"split_index": 5}, outputs=outputs)
    takers = [node(i + 2, "PreviewAny", [], inputs=[taken("source", "*", i + 1)]) for i in range(4)]
    links = [[i + 1, 1, i, i + 2, 0, kinds[i]] for i in range(4)]
    open_workflow(browser, workflow([cut, *takers], links), tmp_path)
    press_replace(browser, "cut")
    prompt = browser.prompt()
    names = browser.evaluate(code="app.rootGraph.getNodeById(1).outputs.map(output => output.name)")
    told = [names[prompt[str(number)]["inputs"]["source"][1]] for number in (2, 3, 4, 5)]
    assert told == ["first", "num_first", "second", "num_second"]


@pytest.mark.parametrize("unpacked", [False, True], ids=["packed", "unpacked"])
def test_values_are_kept_by_nodes_that_were_packed_into_a_subgraph_first(unpacked, browser, tmp_path):
    """Packing and unpacking copy the nodes."""
    open_workflow(browser, workflow(nodes_of({number: TOLD[number] for number in (1, 4, 7)})), tmp_path)
    browser.evaluate(code=COMMAND.replace("NAME", "Comfy.Graph.ConvertToSubgraph"))
    assert browser.becomes(code="app.rootGraph.nodes.map(node => node.subgraph?.nodes.length).join() === '3'")
    if unpacked:
        browser.evaluate(code=COMMAND.replace("NAME", "Comfy.Graph.UnpackSubgraph"))
        assert browser.becomes(code="app.rootGraph.nodes.length === 3")
    browser.click(selector="#graph-canvas")
    press_replace(browser, "unpacked" if unpacked else "packed")
    kinds = ["ZoetropeRepeatFrames", "ZoetropeSelectFrames", "ZoetropeSplitFrames"]
    expected = [(kind, TOLD[number][2]) for kind, number in zip(kinds, (1, 4, 7), strict=True)]
    assert [pair for pair in values_by_type(browser) if pair[0] in kinds] == expected


def test_an_undone_replacement_can_be_done_again(browser, tmp_path):
    open_workflow(browser, workflow(nodes_of({9: TOLD[9]})), tmp_path)
    press_replace(browser, "once")
    browser.click(selector="#graph-canvas")
    browser.evaluate(code="app.extensionManager.command.execute('Comfy.Undo')")
    assert browser.becomes(code=f"({MISSING}).length === 1")
    press_replace(browser, "again", opener="Errors")
    assert browser.evaluate(code=VALUES)["9"] == TOLD[9][2]
