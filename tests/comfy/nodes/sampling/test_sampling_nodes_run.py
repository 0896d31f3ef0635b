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
