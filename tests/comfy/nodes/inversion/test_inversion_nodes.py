"""The nodes of inversion in a ComfyUI server: a sampled video comes back, by every way there is."""

import pytest
import torch
from zoetrope.nodes.inversion import NODES
from zoetrope.samplers.inversion import relative_error
from zoetrope.tests.comfy.nodes.animatediff.test_motion_nodes import graph, latents_of

SCHEMAS = {node.GET_SCHEMA().node_id: node.GET_SCHEMA() for node in NODES}
STEPS, CFG = 3, 3.0


def with_defaults(node_id, **given):
    """A node in API format: what is not given is as it comes onto the canvas."""
    inputs = {}
    for entry in SCHEMAS[node_id].inputs:
        default = getattr(entry, "default", None)
        if default is None and getattr(entry, "options", None):
            default = entry.options[0]
        if default is not None:
            inputs[entry.id] = default
    return {"class_type": node_id, "inputs": {**inputs, **given}}


def sampled(guider, latent=("31", 0)):
    return {
        "class_type": "SamplerCustomAdvanced",
        "inputs": {"noise": ["33", 0], "guider": [guider, 0], "sampler": ["34", 0], "sigmas": ["31", 2],
                   "latent_image": list(latent)},
    }  # fmt: skip


def inverting(text="a red ball on a blue background", **more):
    """A video is sampled (30), inverted (31), and sampled again with a prompt (36); 9 is what is saved."""
    nodes = graph()
    nodes["30"], model = nodes["9"], nodes["9"]["inputs"]["model"]
    nodes["9"] = with_defaults(
        "ZoetropeReportReconstruction", latent=["30", 0], reconstruction=["36", 0], vae=["1", 2],
        largest_error=0.0,
    )  # fmt: skip
    return nodes | {
        "31": with_defaults("ZoetropeInvertVideo", model=model, positive=["6", 0], latent=["30", 0],
                            sigmas=["32", 0]),
        "32": {"class_type": "BasicScheduler", "inputs": {"model": model, "scheduler": "karras",
                                                          "steps": STEPS, "denoise": 0.3}},
        "33": {"class_type": "DisableNoise", "inputs": {}},
        "34": {"class_type": "KSamplerSelect", "inputs": {"sampler_name": "euler"}},
        "35": with_defaults("ZoetropeGuideEdit", model=model, inversion=["31", 1], positive=["37", 0],
                            cfg=CFG, shared_attention=1.0, **more),
        "36": sampled("35"),
        "37": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["1", 1], "text": text}},
    }  # fmt: skip


@pytest.fixture(scope="module")
def video(comfy_server):
    return latents_of(comfy_server, comfy_server.prompt(graph()))


def test_a_video_comes_back_with_its_own_prompt_and_changes_with_another(comfy_server, video):
    again = latents_of(comfy_server, comfy_server.prompt(inverting()))
    assert relative_error(again, video) < 0.02
    other = latents_of(comfy_server, comfy_server.prompt(inverting("a green square on a white background")))
    assert torch.isfinite(other).all() and relative_error(other, video) > relative_error(again, video)


def test_negative_prompts_are_optimised_as_comfyui_runs_nodes(comfy_server, video):
    nodes = inverting(negative=["38", 0])
    nodes["38"] = with_defaults(
        "ZoetropeOptimiseNullText",
        model=["4", 0],
        inversion=["31", 1],
        negative=["7", 0],
        cfg=CFG,
        iterations=2,
    )
    again = latents_of(comfy_server, comfy_server.prompt(nodes))
    assert torch.isfinite(again).all() and again.shape == video.shape


def test_the_sampler_of_flipped_sigmas_goes_up_too(comfy_server, video):
    nodes = inverting()
    nodes |= {
        "40": {"class_type": "FlipSigmas", "inputs": {"sigmas": ["32", 0]}},
        "41": with_defaults("ZoetropeCreateInversionSampler"),
        "42": {"class_type": "BasicGuider", "inputs": {"model": ["4", 0], "conditioning": ["6", 0]}},
        "43": {"class_type": "SamplerCustomAdvanced",
               "inputs": {"noise": ["33", 0], "guider": ["42", 0], "sampler": ["41", 0], "sigmas": ["40", 0],
                          "latent_image": ["30", 0]}},
        "36": sampled("42", ("43", 0)),
    }  # fmt: skip
    again = latents_of(comfy_server, comfy_server.prompt(nodes))
    assert relative_error(again, video) < 0.02
