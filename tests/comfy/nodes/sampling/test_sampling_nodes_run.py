"""The nodes that change guidance, noise and sampling run in a ComfyUI server, and change what comes out."""

import pytest
import torch
from zoetrope.nodes.sampling import NODES
from zoetrope.tests.comfy.nodes.animatediff.test_motion_nodes import graph, latents_of

SCHEMAS = {node.GET_SCHEMA().node_id: node.GET_SCHEMA() for node in NODES}
ON_A_MODEL = {
    "ZoetropeApplyFreeInit": {"iterations": 2},
    "ZoetropeVaryGuidance": {"cfg": 1.5},
    "ZoetropeOscillateGuidance": {"high_steps": 0},
    "ZoetropeThresholdPrediction": {"percentile": 50.0},
    "ZoetropeReuseDeepFeatures": {},
}
NOISES = {
    "ZoetropeShareNoise": {"noise": ["21", 0]},
    "ZoetropeMakeFrameNoise": {"noise_seed": 5},
    "ZoetropeCombineNoise": {"noise": ["21", 0], "layer": ["26", 0]},
    "ZoetropeWarpNoise": {"noise": ["21", 0], "motion_field": ["27", 0]},
    "ZoetropeRearrangeNoise": {"noise": ["21", 0], "window_length": 2, "stride": 2},
}


def with_defaults(node_id, given):
    """A node in API format: what is not given is as it comes onto the canvas."""
    inputs = {}
    for entry in SCHEMAS[node_id].inputs:
        entry = getattr(entry, "input_override", None) or entry
        options = getattr(entry, "options", None)
        default = getattr(entry, "default", None)
        if default is None and options:
            default = options[0]
        if default is not None:
            inputs[entry.id] = default
    return {"class_type": node_id, "inputs": {**inputs, **given}}


@pytest.mark.parametrize("node_id", ON_A_MODEL)
def test_a_node_on_a_model(comfy_server, node_id):
    plain = latents_of(comfy_server, comfy_server.prompt(graph()))
    extra = with_defaults(node_id, {"model": ["4", 0], **ON_A_MODEL[node_id]})
    changed = latents_of(comfy_server, comfy_server.prompt(graph(extra=extra)))
    assert changed.shape == plain.shape and torch.isfinite(changed).all()
    assert not torch.allclose(changed, plain, atol=1e-3)


@pytest.mark.parametrize("node_id", NOISES)
def test_a_noise(comfy_server, node_id):
    nodes = graph()
    sampler = nodes["9"]["inputs"]
    custom = {
        "21": {"class_type": "RandomNoise", "inputs": {"noise_seed": sampler["seed"]}},
        "22": {"class_type": "KSamplerSelect", "inputs": {"sampler_name": "euler"}},
        "23": {"class_type": "BasicScheduler", "inputs": {"model": sampler["model"], "scheduler": "normal",
                                                          "steps": 2, "denoise": 1.0}},
        "24": {"class_type": "CFGGuider", "inputs": {"model": sampler["model"], "cfg": 4.0,
                                                     "positive": ["6", 0], "negative": ["7", 0]}},
        "26": {"class_type": "RandomNoise", "inputs": {"noise_seed": 4}},
        "27": {"class_type": "ZoetropeMakeMotionField",
               "inputs": {"delta_x": 64.0, "delta_y": 0.0, "zoom": 1.0, "rotation": 0.0}},
        "25": with_defaults(node_id, NOISES[node_id]),
    }  # fmt: skip

    def run(noise):
        nodes["9"] = {
            "class_type": "SamplerCustomAdvanced",
            "inputs": {"noise": [noise, 0], "guider": ["24", 0], "sampler": ["22", 0], "sigmas": ["23", 0],
                       "latent_image": ["8", 0]},
        }  # fmt: skip
        return latents_of(comfy_server, comfy_server.prompt({**nodes, **custom}))

    plain, changed = run("21"), run("25")
    assert torch.isfinite(changed).all()
    assert not torch.allclose(changed, plain, atol=1e-3)


def test_first_and_last_frame_are_given(comfy_server):
    """Fix Frames keeps them; Denoise per Frame and Reconstruction Guidance change the others."""

    def run(guided, lists=False):
        nodes = graph(4)
        nodes["30"] = {
            "class_type": "EmptyImage",
            "inputs": {"width": 64, "height": 64, "batch_size": 2, "color": 0xFF2200},
        }
        given = {"latent": ["8", 0], "key_frames": ["30", 0], "vae": ["1", 2], "frames": "0,-1"}
        nodes["31"] = with_defaults("ZoetropeFixFrames", given)
        nodes["32"] = with_defaults("ZoetropeScheduleValues", {"num_frames": 4, "text": "0: (1)"})
        denoise = {"latent": ["31", 0], "denoise": ["32", 0] if lists else 1.0}
        nodes["33"] = with_defaults("ZoetropeSetFrameDenoise", denoise)
        nodes["34"] = with_defaults("ZoetropeGuideByKnownFrames", {"model": ["4", 0], "weight": guided})
        nodes["9"]["inputs"] |= {"latent_image": ["33", 0], "model": ["34", 0]}
        return latents_of(comfy_server, comfy_server.prompt(nodes))

    plain, guided = run(0.0), run(2.0, lists=True)
    assert torch.allclose(plain[[0, -1]], guided[[0, -1]], atol=1e-4)
    assert torch.isfinite(guided).all()
    assert (plain - guided)[1:-1].abs().amax((1, 2, 3)).min() > 1e-3
