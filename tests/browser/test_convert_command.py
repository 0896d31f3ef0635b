"""The command "Convert to Zoetrope": a shared workflow is dropped, converted in another tab, and runs."""

import json

import pytest
from zoetrope.tests.browser.session import ARTEFACTS
from zoetrope.tests.ui_workflows import CHECKPOINT, MODEL, node, sampler, workflow

COND = [("CONDITIONING", "CONDITIONING")]
COMBINE = {
    "frame_rate": 8,
    "loop_count": 0,
    "filename_prefix": "converted",
    "format": "video/h264-mp4",
    "pingpong": False,
    "save_output": True,
    "videopreview": {"hidden": False, "paused": False, "params": {}},
}
LOADER = {"model": ("MODEL", 1, 0), "context_options": ("CONTEXT_OPTIONS", 3, 0)}
TEXT = {"clip": ("CLIP", 1, 1)}
SHARED = workflow(
    {
        1: {**CHECKPOINT, "values": ["zoetrope_tiny_sd.safetensors"]},
        2: node("ADE_AnimateDiffLoaderWithContext", LOADER, MODEL,
                ["zoetrope_tiny_mm.safetensors", "autoselect"]),
        3: node("ADE_AnimateDiffUniformContextOptions", {}, [("CONTEXT_OPTIONS", "CONTEXT_OPTIONS")],
                [4, 1, 2, "uniform", False]),
        4: node("CLIPTextEncode", TEXT, COND, ["a circle"]),
        5: node("CLIPTextEncode", TEXT, COND, [""]),
        6: node("ADE_EmptyLatentImageLarge", {}, [("LATENT", "LATENT")], [64, 64, 5]),
        7: {**sampler((2, 0), (6, 0), positive=(4, 0), negative=(5, 0)),
            "values": [7, "fixed", 2, 4, "euler", "normal", 1]},
        8: node("VAEDecode", {"samples": ("LATENT", 7, 0), "vae": ("VAE", 1, 2)}, [("IMAGE", "IMAGE")]),
        9: node("VHS_VideoCombine", {"images": ("IMAGE", 8, 0)}, [("Filenames", "VHS_FILENAMES")], COMBINE),
        10: node("ADE_PerBlock_SD15_LowLevel", {}, [("PER_BLOCK", "PER_BLOCK")]),
    }
)  # fmt: skip
COMMAND = "app.extensionManager.command.execute('Zoetrope.Convert').then(() => true)"
OFFERED = "document.querySelectorAll('.zoetrope-report button').length === 2"
SUMMARY = "document.querySelector('.zoetrope-report p')?.textContent ?? ''"
TABS = "app.extensionManager.workflow.openWorkflows.length"
LEFT = "app.graph.nodes.filter(node => /^(VHS|ADE)_/.test(node.type)).map(node => node.type)"


LINES = "document.querySelector('.zoetrope-report ul').textContent"
SAID = {
    "en": ("Converted 4 of 5 nodes; 0 differ, 1 left.", "was left because nothing here does what it does."),
    "zh": ("转换了 5 个节点中的 4 个；0 个有差异，1 个保留。", "保留：这里没有与之对应的功能。"),
}


@pytest.mark.parametrize(
    ("settings", "label", "runs"),
    [
        ({}, "Convert to Zoetrope", True),
        ({"Comfy.Locale": "zh", "Comfy.VueNodes.Enabled": True}, "转换为 Zoetrope", True),
        ({"Comfy.Locale": "zh"}, "转换为 Zoetrope", False),
        ({"Comfy.VueNodes.Enabled": True}, "Convert to Zoetrope", False),
    ],
    ids=["classic canvas", "Nodes 2.0, Chinese", "classic canvas, Chinese", "Nodes 2.0"],
)
def test_a_shared_workflow_is_converted_in_a_tab_of_its_own_and_runs(
    chromium, tmp_path, settings, label, runs
):
    """What is run is the same graph in both languages and with both kinds of nodes; two runs are enough."""
    chromium.open(settings=settings)
    try:
        file = tmp_path / "shared.json"
        file.write_text(json.dumps(SHARED), encoding="utf8")
        chromium.drop(file=str(file), nodes=10)
        tabs = chromium.evaluate(code=TABS)
        assert chromium.becomes(code=OFFERED)
        chromium.screenshot(file=str(ARTEFACTS / "convert" / f"{label.split()[0]} offered.png"))
        assert chromium.evaluate(code=COMMAND)
        told = SAID["zh" if settings.get("Comfy.Locale") == "zh" else "en"]
        assert chromium.becomes(code=f"{SUMMARY} === '{told[0]}'")
        assert told[1] in chromium.evaluate(code=LINES)
        assert chromium.evaluate(code="document.querySelector('.zoetrope-report h2').textContent") == label
        assert chromium.evaluate(code=TABS) == tabs + 1
        assert chromium.evaluate(code=LEFT) == ["ADE_PerBlock_SD15_LowLevel"]
        chromium.click(selector=".zoetrope-report li:first-child button")
        chosen = "Object.values(app.canvas.selected_nodes).map(node => node.type)"
        assert chromium.evaluate(code=chosen) == ["ADE_PerBlock_SD15_LowLevel"]
        name = label.split()[0]
        kind = " nodes 2" if "Comfy.VueNodes.Enabled" in settings else ""
        chromium.screenshot(file=str(ARTEFACTS / "convert" / f"{name}{kind}.png"))
        if not runs:
            return
        chromium.evaluate(code="app.graph.remove(app.graph.nodes.find(node => /^ADE_/.test(node.type)))")
        ended = chromium.run(seconds=400)
        assert ended["end"] == "execution_success", ended
        chromium.screenshot(file=str(ARTEFACTS / "convert" / f"{name} done.png"))
        (video,) = [video for video in chromium.videos() if video["duration"] > 0]
        assert (video["width"], video["height"]) == (64, 64)
    finally:
        chromium.open()


def test_a_workflow_without_such_nodes_gets_no_offer(chromium, tmp_path):
    chromium.open()
    file = tmp_path / "plain.json"
    nodes = {1: CHECKPOINT, 2: node("SomebodyElse_Node", {}, [])}
    file.write_text(json.dumps(workflow(nodes)), encoding="utf8")
    chromium.drop(file=str(file), nodes=2)
    assert chromium.evaluate(code="document.querySelector('.zoetrope-report') === null")
    assert chromium.evaluate(code=COMMAND)
    assert chromium.becomes(code=f"{SUMMARY}.startsWith('There are no nodes')")
