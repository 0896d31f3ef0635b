"""Set Known Frames in a running ComfyUI, over its HTTP API, with a seeded module of masked frames for the
demo.
"""

import pytest
import torch
from safetensors.torch import load_file, save_file
from zoetrope.devtools.server import ComfyError
from zoetrope.tests.comfy.nodes.animatediff.test_motion_nodes import CHECKPOINT, MODULE, graph, latents_of
from zoetrope.tests.gold_weights import gold_tensor

FILE = "tiny_masked_frames.safetensors"


@pytest.fixture(scope="module")
def masked_file(comfy_models):
    first = load_file(comfy_models / "checkpoints" / CHECKPOINT)[
        "model.diffusion_model.input_blocks.0.0.weight"
    ]
    tensors = {
        "masked_frames.conv_in.weight": gold_tensor("masked", (len(first), 5, 3, 3)),
        "masked_frames.conv_in.bias": torch.zeros(len(first)),
        "masked_frames.num_levels": torch.tensor([4.0]),
    }
    save_file(tensors, comfy_models / "animatediff_models" / FILE)
    return FILE


def known(frames="0", images=1, color=0xFF8000, **settings):
    """Text to video of 3 frames, of which some are known: images of one colour."""
    nodes = graph(module=FILE)
    picture = {"width": 96, "height": 80, "batch_size": images, "color": color}
    nodes["20"] = {"class_type": "EmptyImage", "inputs": picture}
    links = {"motion_module": ["2", 0], "vae": ["1", 2], "images": ["20", 0]}
    inputs = {"frames": frames, "context_guidance": 1.0, **settings}
    nodes["21"] = {"class_type": "ZoetropeSetKnownFrames", "inputs": {**links, **inputs}}
    nodes["4"]["inputs"]["motion_module"] = ["21", 0]
    return nodes


def test_prediction_and_interpolation_act(comfy_server, masked_file):
    made = [latents_of(comfy_server, comfy_server.prompt(known(**settings)))
            for settings in ({}, {"color": 0x0000FF}, {"frames": "0:2", "images": 2},
                             {"frames": "::2", "images": 2}, {"context_guidance": 3.0})]  # fmt: skip
    assert all(torch.isfinite(latents).all() for latents in made)
    assert all(not torch.allclose(made[0], other, atol=1e-2) for other in made[1:])


def test_without_known_frames_the_node_to_wire_is_named(comfy_server, masked_file):
    with pytest.raises(ComfyError, match="needs frames that are known; put the node 'Set Known Frames'"):
        comfy_server.prompt(graph(module=FILE))


@pytest.mark.parametrize(("settings", "words"), [
    ({"frames": "3"}, "there is no frame 3; these are 3 frames"),
    ({"frames": "first"}, "neither a frame number nor a range"),
    ({"frames": "0:2", "images": 3}, "names 2 of the 3 frames, images holds 3"),
])  # fmt: skip
def test_bad_input_is_named(comfy_server, masked_file, settings, words):
    with pytest.raises(ComfyError, match=words):
        comfy_server.prompt(known(**settings))


def test_another_module_takes_no_known_frames(comfy_server, masked_file):
    nodes = known()
    nodes["2"]["inputs"]["motion_module"] = MODULE
    with pytest.raises(ComfyError, match="is a module of AnimateDiff, which takes no known frames"):
        comfy_server.prompt(nodes)
