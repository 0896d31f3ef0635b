"""Conversion in a running ComfyUI: what it knows of nodes, the route, prompts whose nodes are missing."""

import copy
import json

import pytest
from zoetrope.demo.workflow_api import to_api
from zoetrope.host.files.conversion import convert_body
from zoetrope.tests import conversion_nodes
from zoetrope.tests.ui_workflows import CHECKPOINT, MODEL, by_type, node, sampler, workflow
from zoetrope.workflow_conversion.checks import faults
from zoetrope.workflow_conversion.convert import convert

COND = [("CONDITIONING", "CONDITIONING")]
COMBINE = {
    "frame_rate": 8,
    "loop_count": 0,
    "filename_prefix": "converted",
    "format": "video/h264-mp4",
    "crf": 20,
    "pix_fmt": "yuv420p",
    "pingpong": False,
    "save_output": False,
    "save_metadata": True,
}


@pytest.fixture(scope="module")
def object_info(comfy_server):
    return comfy_server.object_info()


def names_of(object_info, kind, name):
    spec = object_info[kind]["input"]["required"][name]
    return spec[0] if isinstance(spec[0], list) else spec[1]["options"]


@pytest.fixture
def shared(object_info):
    """A workflow as people share them, with the demo's files."""
    (checkpoint, *_) = [
        n for n in names_of(object_info, "CheckpointLoaderSimple", "ckpt_name") if "tiny" in n
    ]
    modules = names_of(object_info, "ZoetropeLoadMotionModule", "motion_module")
    loader = {"model": ("MODEL", 1, 0), "context_options": ("CONTEXT_OPTIONS", 3, 0)}
    context = [("CONTEXT_OPTIONS", "CONTEXT_OPTIONS")]
    text = {"clip": ("CLIP", 1, 1)}
    return workflow({
        1: {**CHECKPOINT, "values": [checkpoint]},
        2: node("ADE_AnimateDiffLoaderWithContext", loader, MODEL, [modules[0], "autoselect"]),
        3: node("ADE_AnimateDiffUniformContextOptions", {}, context, [4, 1, 2, "uniform", False]),
        4: node("CLIPTextEncode", text, COND, ["a red ball"]),
        5: node("CLIPTextEncode", text, COND, [""]),
        6: node("ADE_EmptyLatentImageLarge", {}, [("LATENT", "LATENT")], [64, 64, 6]),
        7: {**sampler((2, 0), (6, 0), positive=(4, 0), negative=(5, 0)),
            "values": [7, "fixed", 2, 4, "euler", "normal", 1]},
        8: node("VAEDecode", {"samples": ("LATENT", 7, 0), "vae": ("VAE", 1, 2)}, [("IMAGE", "IMAGE")]),
        9: node("VHS_VideoCombine", {"images": ("IMAGE", 8, 0)}, [("Filenames", "VHS_FILENAMES")], COMBINE),
    })  # fmt: skip


def test_what_the_bare_tests_know_of_nodes_is_what_comfyui_says(object_info):
    """`python dev.py run tests.conversion_nodes` writes it anew."""
    assert conversion_nodes.load_nodes() == json.loads(json.dumps(conversion_nodes.chosen(object_info)))


def test_a_shared_workflow_comes_back_over_the_route_and_makes_its_video(comfy_server, object_info, shared):
    answer = comfy_server.request("/zoetrope/convert", {"workflow": shared})
    assert answer["report"]["free"] and answer["report"]["differs"] == 0
    made = answer["workflow"]
    assert faults(made, object_info) == [] and made == convert(shared, object_info)[0]
    entry = comfy_server.prompt(to_api(made, object_info))
    (video,) = entry["outputs"]["9"]["images"]
    assert video["type"] == "temp" and video["filename"].startswith("converted")


@pytest.mark.parametrize("body", [None, [], {"workflow": 5}, {"workflow": {"nodes": [1]}}], ids=json.dumps)
def test_the_route_answers_with_a_sentence_to_what_is_no_workflow(comfy_server, body):
    answer = comfy_server.request("/zoetrope/convert", body) if body is not None else convert_body(None)
    assert answer["report"]["trouble"].endswith((".", ";")) and not answer["report"]["changed"]


def test_a_prompt_whose_nodes_are_missing_is_converted_and_runs(comfy_server, object_info, shared):
    made = to_api(convert(shared, object_info)[0], object_info)
    (module,) = {n["inputs"]["motion_module"] for n in by_type(made, "ZoetropeLoadMotionModule")}
    prompt = {k: v for k, v in made.items() if not v["class_type"].startswith("Zoetrope")}
    loader = {"model": ["1", 0], "model_name": module, "beta_schedule": "autoselect"}
    windows = {"context_length": 4, "context_overlap": 2}
    prompt |= {
        "2": {"class_type": "ADE_AnimateDiffLoaderGen1", "inputs": {**loader, "context_options": ["3", 0]}},
        "3": {"class_type": "ADE_StandardStaticContextOptions", "inputs": windows},
        "9": {"class_type": "VHS_VideoCombine", "inputs": {**COMBINE, "images": ["8", 0]}},
    }
    before = copy.deepcopy(prompt)
    entry = comfy_server.prompt(prompt)
    assert entry["outputs"]["9"]["images"] and prompt == before
