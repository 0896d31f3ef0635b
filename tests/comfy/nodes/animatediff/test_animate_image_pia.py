"""Animate Image (PIA) in a running ComfyUI, over its HTTP API, with a file like pia.ckpt for the demo."""

import pytest
import torch
from safetensors.torch import load_file, save_file
from zoetrope.devtools.server import ComfyError
from zoetrope.tests.comfy.nodes.animatediff.test_motion_nodes import CHECKPOINT, MODULE, graph, latents_of
from zoetrope.tests.gold_weights import gold_tensor

FILE = "tiny_pia.safetensors"


@pytest.fixture(scope="module")
def pia_file(comfy_models):
    """The demo's motion module, and a first convolution that sees an image."""
    first = load_file(comfy_models / "checkpoints" / CHECKPOINT)[
        "model.diffusion_model.input_blocks.0.0.weight"
    ]
    folder = comfy_models / "animatediff_models"
    weight = gold_tensor("conv_in.weight", (len(first), 9, 3, 3)).to(first.dtype)
    save_file({**load_file(folder / MODULE), "conv_in.weight": weight}, folder / FILE)
    return FILE


def animated(color=0xFF8000, images=1, **settings):
    """Text to video with an image of one colour that PIA animates."""
    nodes = graph(module=FILE)
    picture = {"width": 96, "height": 80, "batch_size": images, "color": color}
    nodes["20"] = {"class_type": "EmptyImage", "inputs": picture}
    inputs = {"motion": "small", "cond_frame": 0, "conv_in": "of the checkpoint (personalised)", **settings}
    links = {"motion_module": ["2", 0], "vae": ["1", 2], "image": ["20", 0]}
    nodes["21"] = {"class_type": "ZoetropeAnimateImagePIA", "inputs": {**links, **inputs}}
    nodes["4"]["inputs"]["motion_module"] = ["21", 0]
    return nodes


def test_the_image_and_its_motion_act(comfy_server, pia_file):
    made = [latents_of(comfy_server, comfy_server.prompt(animated(**settings)))
            for settings in ({}, {"color": 0x0000FF}, {"motion": "large"}, {"cond_frame": 2},
                             {"conv_in": "of the PIA file (plain SD1.5)"})]  # fmt: skip
    assert all(torch.isfinite(latents).all() for latents in made)
    assert all(not torch.allclose(made[0], other, atol=1e-2) for other in made[1:])


def test_without_an_image_the_node_to_wire_is_named(comfy_server, pia_file):
    with pytest.raises(ComfyError, match=r"needs an image; put the node 'Animate Image \(PIA\)'"):
        comfy_server.prompt(graph(module=FILE))


@pytest.mark.parametrize(("settings", "words"), [
    ({"images": 2}, "image holds 2 images and needs one"),
    ({"cond_frame": 3}, "cond_frame=3 must be a frame of the video, 0 to 2"),
])  # fmt: skip
def test_bad_input_is_named(comfy_server, pia_file, settings, words):
    with pytest.raises(ComfyError, match=words):
        comfy_server.prompt(animated(**settings))


def test_another_module_takes_no_image(comfy_server, pia_file):
    nodes = animated()
    nodes["2"]["inputs"]["motion_module"] = MODULE
    with pytest.raises(ComfyError, match="is a module of AnimateDiff, which takes no image"):
        comfy_server.prompt(nodes)
