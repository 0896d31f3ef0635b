"""Load SparseCtrl Model and Place Sparse Images in a running ComfyUI, over its HTTP API, with a seeded rgb
model for the demo.
"""

import pytest
import torch
from safetensors.torch import save_file
from zoetrope.devtools.server import ComfyError
from zoetrope.tests.comfy.nodes.animatediff.test_motion_nodes import graph, latents_of
from zoetrope.tests.gold_weights import gold_state_dict
from zoetrope.tests.networks.golden_cases import golden_description

FILE = "tiny_sparsectrl_rgb.safetensors"
WIDER = {32: 64, 48: 64, 64: 128, 128: 256, 256: 512, 512: 1024, 1024: 2048}
"""Widths of the golden's network -> the demo's."""


@pytest.fixture(scope="module")
def sparse_file(comfy_models):
    shapes = golden_description("sparsectrl/sparsectrl_tiny")["shapes"]["rgb"]
    wider = {key: tuple(WIDER.get(size, size) for size in shape) for key, shape in shapes.items()}
    folder = comfy_models / "controlnet"
    save_file(gold_state_dict(wider), folder / FILE)
    return FILE


def sparse(color=0xFF8000, images=1, length=3, strength=0.5, vae=True, file=FILE, **place):
    """Text to video of 3 frames with images of one colour at some of them."""
    nodes = graph(frames=length)
    picture = {"width": 96, "height": 80, "batch_size": images, "color": color}
    nodes["20"] = {"class_type": "EmptyImage", "inputs": picture}
    nodes["21"] = {"class_type": "ZoetropeLoadSparseCtrl", "inputs": {"control_net_name": file}}
    place = {"control_net": ["21", 0], "place": "spread", "frames": "0", "motion_strength": 1.0,
             "windows_without_images": "nearest image", "frames_per_video": 0, **place}  # fmt: skip
    nodes["22"] = {"class_type": "ZoetropePlaceSparseImages", "inputs": place}
    links = {"positive": ["6", 0], "negative": ["7", 0], "control_net": ["22", 0], "image": ["20", 0]}
    links |= {"vae": ["1", 2]} if vae else {}
    percents = {"strength": strength, "start_percent": 0.0, "end_percent": 1.0}
    nodes["23"] = {"class_type": "ControlNetApplyAdvanced", "inputs": {**links, **percents}}
    nodes["9"]["inputs"] |= {"positive": ["23", 0], "negative": ["23", 1]}
    return nodes


def test_images_act_where_they_lie(comfy_server, sparse_file):
    settings = [{}, {"color": 0x0000FF}, {"place": "ending"}, {"place": "at frames", "frames": "1"},
                {"images": 2}, {"motion_strength": 0.0}]  # fmt: skip
    made = [latents_of(comfy_server, comfy_server.prompt(sparse(**some))) for some in settings]
    assert all(torch.isfinite(latents).all() for latents in made)
    assert all(not torch.allclose(made[0], other, atol=1e-2) for other in made[1:])
    plain = latents_of(comfy_server, comfy_server.prompt(graph()))
    assert not torch.allclose(plain, made[0], atol=1e-2)
    assert torch.equal(plain, latents_of(comfy_server, comfy_server.prompt(sparse(strength=0.0))))


def test_without_a_place_the_images_are_spread(comfy_server, sparse_file):
    nodes = sparse(images=2)
    nodes["23"]["inputs"]["control_net"] = ["21", 0]
    made = latents_of(comfy_server, comfy_server.prompt(nodes))
    assert torch.equal(made, latents_of(comfy_server, comfy_server.prompt(sparse(images=2))))


@pytest.mark.parametrize(("settings", "words"), [
    ({"place": "at frames", "frames": "3"}, "there is no frame 3; these are 3 frames"),
    ({"place": "at frames", "frames": "first"}, "neither a frame number nor a range"),
    ({"images": 5}, "5 sparse images cannot lie at 3 frames"),
    ({"vae": False}, "takes its images through a VAE; wire the checkpoint's VAE"),
    ({"length": 33}, "33 frames are more than the 32 that the .* knows"),
    ({"file": "zoetrope_tiny_control_blob.safetensors"}, "a ControlNet without motion modules: use 'Load"),
])  # fmt: skip
def test_bad_input_is_named(comfy_server, sparse_file, settings, words):
    with pytest.raises(ComfyError, match=words):
        comfy_server.prompt(sparse(**settings))


def test_an_ordinary_controlnet_is_not_placed(comfy_server, sparse_file):
    nodes = sparse()
    inputs = {"control_net_name": "zoetrope_tiny_control_blob.safetensors"}
    nodes["21"] = {"class_type": "ControlNetLoader", "inputs": inputs}
    with pytest.raises(ComfyError, match="control_net is no SparseCtrl model; load one with"):
        comfy_server.prompt(nodes)


def test_a_sparsectrl_model_is_no_motion_module(comfy_server, sparse_file, comfy_models):
    folder = comfy_models / "animatediff_models"
    (folder / FILE).write_bytes((comfy_models / "controlnet" / FILE).read_bytes())
    try:
        with pytest.raises(ComfyError, match="load it with the node 'Load SparseCtrl Model'"):
            comfy_server.prompt(graph(module=FILE))
    finally:
        (folder / FILE).unlink()
