"""A workflow made by hand names files that are not there:
the editor says where they are published and offers the download.
"""

import json

import pytest
from zoetrope.tests.browser.session import ARTEFACTS

HUB = "https://huggingface.co"
# Written as the help pages have them: file in the workflow -> folder and address.
WANTED = {
    "mm_sd_v14.ckpt": ("animatediff_models", f"{HUB}/guoyww/animatediff/resolve/main/mm_sd_v14.ckpt"),
    "mine/v2_lora_ZoomIn.ckpt": (
        "animatediff_motion_lora",
        f"{HUB}/guoyww/animatediff/resolve/main/v2_lora_ZoomIn.ckpt",
    ),
    "dynamicrafter_1024.ckpt": (
        "diffusion_models",
        f"{HUB}/Doubiiu/DynamiCrafter_1024/resolve/main/model.ckpt",
    ),
    "svd_xt_1_1.safetensors": (
        "diffusion_models",
        f"{HUB}/stabilityai/stable-video-diffusion-img2vid-xt-1-1/resolve/main/svd_xt_1_1.safetensors",
    ),
}
UNKNOWN = "somebodys_own.ckpt"
MODELS_OF_NODES = """[app.rootGraph, ...app.rootGraph.subgraphs.values()].flatMap(graph => graph.nodes)
  .flatMap(node => node.properties.models ?? [])"""
SAVED_MODELS = """(() => {
  const saved = app.rootGraph.serialize();
  const nodes = [saved, ...saved.definitions.subgraphs].flatMap(graph => graph.nodes);
  return nodes.flatMap(node => node.properties.models ?? []);
})()"""
# The download that a press of the button begins, without the download.
CATCH_DOWNLOADS = """(() => {
  window.zoetropeDownloads = [];
  HTMLAnchorElement.prototype.click = function () {
    window.zoetropeDownloads.push([this.href, this.download]);
  };
})()"""


def loader(number, kind, widget, *values):
    """A saved node as the editor writes it, without `models`."""
    inputs = [{"name": widget, "type": "COMBO", "widget": {"name": widget}, "link": None}]
    if kind == "ZoetropeLoadMotionLora":
        inputs.insert(0, {"name": "motion_module", "type": "MOTION_MODULE", "link": None})
    return {
        "id": number,
        "type": kind,
        "pos": [300 * number, 0],
        "size": [280, 90],
        "flags": {},
        "order": number,
        "mode": 0,
        "inputs": inputs,
        "outputs": [],
        "properties": {"Node name for S&R": kind},
        "widgets_values": list(values),
    }


def by_hand():
    names = list(WANTED)
    subgraph = {
        "id": "3c7b3f0e-8a53-4a44-9a8f-0d6e2f5f7b11",
        "version": 1,
        "name": "inside",
        "revision": 0,
        "config": {},
        "state": {"lastGroupId": 0, "lastNodeId": 9, "lastLinkId": 0, "lastRerouteId": 0},
        "inputNode": {"id": -10, "bounding": [-200, 0, 120, 60]},
        "outputNode": {"id": -20, "bounding": [900, 0, 120, 60]},
        "inputs": [],
        "outputs": [],
        "widgets": [],
        "groups": [],
        "links": [],
        "nodes": [loader(4, "ZoetropeLoadVideoModel", "model_name", names[3])],
    }
    host = {**loader(5, subgraph["id"], "x"), "inputs": [], "properties": {}, "widgets_values": []}
    nodes = [
        loader(1, "ZoetropeLoadMotionModule", "motion_module", names[0]),
        loader(2, "ZoetropeLoadMotionLora", "lora_name", names[1], 1),
        loader(3, "ZoetropeLoadVideoModel", "model_name", names[2]),
        host,
        loader(6, "ZoetropeLoadMotionModule", "motion_module", UNKNOWN),
    ]
    return {
        "id": "0b0f5a0e-0f0c-4a7e-9d0b-1f0f2b6d7c55",
        "revision": 0,
        "last_node_id": 9,
        "last_link_id": 0,
        "nodes": nodes,
        "links": [],
        "groups": [],
        "config": {},
        "extra": {},
        "version": 0.4,
        "definitions": {"subgraphs": [subgraph]},
    }


@pytest.fixture
def opened(browser, tmp_path):
    file = tmp_path / "by_hand.json"
    file.write_text(json.dumps(by_hand()), encoding="utf8")
    assert browser.drop(file=str(file), nodes=5)["missing"] == []
    return browser


@pytest.mark.parametrize("models_of", [MODELS_OF_NODES, SAVED_MODELS], ids=["opened", "saved"])
def test_loaders_know_where_their_files_are_published(models_of, opened):
    found = {model["name"]: (model["directory"], model["url"]) for model in opened.evaluate(code=models_of)}
    assert found == WANTED


def test_the_editor_offers_the_downloads(opened):
    opened.click(selector='button:has-text("View details")')
    assert opened.sees(text="mm_sd_v14.ckpt")
    opened.evaluate(code=CATCH_DOWNLOADS)
    opened.screenshot(file=str(ARTEFACTS / "model_links" / "offered.png"))
    for name in WANTED:
        opened.click(selector=f'[data-testid="missing-model-download"][aria-label="Download {name}"]')
    downloads = {name: url for url, name in opened.evaluate(code="window.zoetropeDownloads")}
    assert downloads == {name: url for name, (_, url) in WANTED.items()}
