"""The pack in a real ComfyUI server:
it loads, documents its nodes, lists its workflows, and survives bad prompts.
"""

import pytest
from zoetrope.devtools.paths import PACK
from zoetrope.devtools.server import ComfyError
from zoetrope.tests.places import ROOT

EMPTY_LATENT = {"class_type": "EmptyLatentImage", "inputs": {"width": 16, "height": 24, "batch_size": 3}}


def image_graph(batch):
    """A graph of core nodes that needs no model: a grey picture, repeated."""
    return {
        "1": {
            "class_type": "EmptyImage",
            "inputs": {"width": 16, "height": 24, "batch_size": batch, "color": 0x808080},
        },
        "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
    }


def our_nodes(server):
    return {name: node for name, node in server.object_info().items() if name.startswith("Zoetrope")}


def test_pack_loads(comfy_server):
    assert "IMPORT FAILED" not in comfy_server.log_text()
    assert our_nodes(comfy_server)


def test_nodes_are_documented(comfy_server):
    undocumented = []
    for name, node in our_nodes(comfy_server).items():
        if not node["description"]:
            undocumented.append(name)
        if not node["category"].startswith("Zoetrope/"):
            undocumented.append(f"{name}: category {node['category']}")
        for group in ("required", "optional"):
            for key, spec in node["input"].get(group, {}).items():
                if len(spec) < 2 or not spec[1].get("tooltip"):
                    undocumented.append(f"{name}.{key}")
    assert not undocumented


def test_template_browser_lists_every_workflow(comfy_server):
    listed = comfy_server.request("/api/workflow_templates").get(PACK, [])
    assert set(listed) == {path.stem for path in (ROOT / "example_workflows").glob("*.json")}


def test_the_picture_and_the_video_of_the_workflows_load(comfy_server):
    """Where dev.py has put them; the names are those that the workflows have."""
    graph = {
        "1": {"class_type": "LoadImage", "inputs": {"image": "example.png"}},
        "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
        "3": {"class_type": "LoadVideo", "inputs": {"file": "input_video.mp4"}},
        "4": {"class_type": "GetVideoComponents", "inputs": {"video": ["3", 0]}},
        "5": {"class_type": "PreviewImage", "inputs": {"images": ["4", 0]}},
    }
    outputs = comfy_server.prompt(graph)["outputs"]
    assert len(outputs["2"]["images"]) == 1 and len(outputs["5"]["images"]) > 1


def test_refused_prompt_names_the_node_and_input(comfy_server):
    graph = {"1": EMPTY_LATENT, "2": {"class_type": "VAEDecode", "inputs": {"samples": ["1", 0]}}}
    with pytest.raises(ComfyError, match="VAEDecode.*vae") as refused:
        comfy_server.prompt({**graph, "3": {"class_type": "PreviewImage", "inputs": {"images": ["2", 0]}}})
    assert refused.value.details["node_errors"]["2"]["errors"]


def test_failing_prompt_leaves_the_server_usable(comfy_server):
    graph = {
        "1": {"class_type": "EmptyImage", "inputs": {"width": 16, "height": 24, "batch_size": 2, "color": 0}},
        "2": {
            "class_type": "EmptyImage",
            "inputs": {"width": 16, "height": 24, "batch_size": 3, "color": 255},
        },
        "3": {
            "class_type": "ImageBlend",
            "inputs": {"image1": ["1", 0], "image2": ["2", 0], "blend_factor": 0.5, "blend_mode": "normal"},
        },
        "4": {"class_type": "PreviewImage", "inputs": {"images": ["3", 0]}},
    }
    with pytest.raises(ComfyError, match="ImageBlend") as failed:
        comfy_server.prompt(graph)
    assert failed.value.details["node_id"] == "3"
    entry = comfy_server.prompt(image_graph(2))
    files = entry["outputs"]["2"]["images"]
    assert len(files) == 2
    assert comfy_server.view(files[0]).startswith(b"\x89PNG")
    assert all(path.is_file() for path in comfy_server.output_files(entry))
