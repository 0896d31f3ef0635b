"""Animate Image (AnimateLCM) in a running ComfyUI, over its HTTP API, with a file like the published one."""

import pytest
import torch
from safetensors.torch import load_file, save_file
from zoetrope.devtools.server import ComfyError
from zoetrope.motion_modules.animatelcm_i2v import ImageEncoder
from zoetrope.tests.comfy.nodes.animatediff.test_motion_nodes import MODULE, graph, latents_of
from zoetrope.tests.gold_weights import gold_tensor

FILE = "tiny_animatelcm_i2v.safetensors"


@pytest.fixture(scope="module")
def i2v_file(comfy_models):
    """The demo's motion module, and an image encoder of its widths."""
    folder = comfy_models / "animatediff_models"
    module = load_file(folder / MODULE)
    levels = range(4)
    proj_in = "down_blocks.{}.motion_modules.0.temporal_transformer.proj_in.weight"
    widths = [len(module[proj_in.format(level)]) for level in levels]
    encoder = ImageEncoder(widths, device="meta").state_dict()
    drawn = {f"img_encoder.{key}": gold_tensor(key, value.shape) for key, value in encoder.items()}
    save_file({**module, **drawn}, folder / FILE)
    return FILE


def animated(color=0xFF8000, images=1, **settings):
    """Text to video with an image of one colour that AnimateLCM animates."""
    nodes = graph(module=FILE)
    picture = {"width": 96, "height": 80, "batch_size": images, "color": color}
    nodes["20"] = {"class_type": "EmptyImage", "inputs": picture}
    inputs = {"motion_scale": 0.8, "level_weights": "1, 1, 1, 1", **settings}
    links = {"motion_module": ["2", 0], "vae": ["1", 2], "image": ["20", 0]}
    nodes["21"] = {"class_type": "ZoetropeAnimateImageLCM", "inputs": {**links, **inputs}}
    nodes["4"]["inputs"]["motion_module"] = ["21", 0]
    return nodes


def test_the_image_and_its_settings_act(comfy_server, i2v_file):
    made = [latents_of(comfy_server, comfy_server.prompt(animated(**settings)))
            for settings in ({}, {"color": 0x0000FF}, {"motion_scale": 0.0},
                             {"level_weights": "1, 1, 0, 0"})]  # fmt: skip
    assert all(torch.isfinite(latents).all() for latents in made)
    assert all(not torch.allclose(made[0], other, atol=1e-2) for other in made[1:])


def test_without_an_image_the_node_to_wire_is_named(comfy_server, i2v_file):
    with pytest.raises(ComfyError, match=r"needs an image; put the node 'Animate Image \(AnimateLCM\)'"):
        comfy_server.prompt(graph(module=FILE))


@pytest.mark.parametrize(("settings", "words"), [
    ({"images": 2}, "image holds 2 images, .* takes one, or one for each of the 3 frames"),
    ({"level_weights": "1, 1"}, "level_weights='1, 1' must be 4 numbers"),
])  # fmt: skip
def test_bad_input_is_named(comfy_server, i2v_file, settings, words):
    with pytest.raises(ComfyError, match=words):
        comfy_server.prompt(animated(**settings))
