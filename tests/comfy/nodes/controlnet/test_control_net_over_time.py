"""ControlNet over Time in a running ComfyUI, over its HTTP API, on the demo's ControlNet."""

import pytest
import torch
from zoetrope.devtools.server import ComfyError
from zoetrope.tests.comfy.nodes.animatediff.test_motion_nodes import graph, latents_of

NEUTRAL = {"strength": 1.0, "soft_weights": 1.0, "flip_weights": False, "negative_strength": 1.0,
           "frames_per_video": 0}  # fmt: skip


def controlled(values=None, **settings):
    """Text to video of 3 frames that follow a white square; values: of each frame, through Vary Value."""
    nodes = graph()
    nodes["20"] = {"class_type": "EmptyImage",
                   "inputs": {"width": 64, "height": 64, "batch_size": 1, "color": 0xFFFFFF}}  # fmt: skip
    nodes["21"] = {
        "class_type": "ControlNetLoader",
        "inputs": {"control_net_name": "zoetrope_tiny_control_blob.safetensors"},
    }
    if values:
        text = ", ".join(f"{frame}: {value}" for frame, value in enumerate(values))
        schedule = {"text": text, "num_frames": len(values), "curve": "linear", "loop": False,
                    "read_as": "Zoetrope", "frame": 0}  # fmt: skip
        nodes["24"] = {"class_type": "ZoetropeScheduleValues", "inputs": schedule}
        nodes["25"] = {"class_type": "ZoetropeVaryValue",
                       "inputs": {"value": ["24", 0], "outside": 0.0, "start_percent": 0.0}}  # fmt: skip
        settings["strength"] = ["25", 0]
    control = ["21", 0]
    if settings:
        inputs = {"control_net": control, **NEUTRAL, **settings}
        nodes["22"] = {"class_type": "ZoetropeControlNetOverTime", "inputs": inputs}
        control = ["22", 0]
    links = {"positive": ["6", 0], "negative": ["7", 0], "control_net": control, "image": ["20", 0]}
    percents = {"strength": 1.0, "start_percent": 0.0, "end_percent": 1.0}
    nodes["23"] = {"class_type": "ControlNetApplyAdvanced", "inputs": {**links, **percents}}
    nodes["9"]["inputs"] |= {"positive": ["23", 0], "negative": ["23", 1]}
    return nodes


def test_each_setting_acts_and_neutral_ones_change_nothing(comfy_server):
    def made(nodes):
        return latents_of(comfy_server, comfy_server.prompt(nodes))

    core = made(controlled())
    assert torch.equal(made(controlled(strength=1.0)), core)
    assert torch.equal(made(controlled(strength=0.0)), made(graph()))
    others = [made(controlled(**settings)) for settings in (
        {"values": [0.0, 0.5, 1.0]}, {"soft_weights": 0.825}, {"soft_weights": 0.825, "flip_weights": True},
        {"negative_strength": 0.0})]  # fmt: skip
    for place, one in enumerate(others):
        assert torch.isfinite(one).all()
        assert all(not torch.allclose(one, other, atol=1e-3) for other in (core, *others[:place]))


@pytest.mark.parametrize(("settings", "words"), [
    ({"values": [0.0, 1.0]}, "has values for 2 frames, the video has 3"),
    ({"soft_weights": 1.5}, "soft_weights"),
])  # fmt: skip
def test_bad_input_is_named(comfy_server, settings, words):
    with pytest.raises(ComfyError, match=words):
        comfy_server.prompt(controlled(**settings))
