"""The context windows node in a running ComfyUI, over its HTTP API, with good and with bad input."""

import pytest
import torch
from zoetrope.host.context_handler import FRAME_AXES, ContextSettings
from zoetrope.samplers.context_fusion import FUSE_METHODS
from zoetrope.samplers.context_schedules import CONTEXT_SCHEDULES
from zoetrope.samplers.noise import NOISE_TYPES
from zoetrope.tests.comfy.nodes.test_motion_nodes import frames_of, graph, latents_of
from zoetrope.tests.comfy.server import ComfyError

NODE = "ZoetropeApplyContextWindows"


def windows(**settings):
    defaults = {name: field.default for name, field in ContextSettings.__dataclass_fields__.items()}
    return {"class_type": NODE, "inputs": {"model": ["4", 0], **defaults, **settings}}


def test_the_node_offers_the_registries_and_the_settings(comfy_server):
    inputs = comfy_server.object_info()[NODE]["input"]["required"]
    assert set(inputs) == {"model", *ContextSettings.__dataclass_fields__}
    offered = {name: inputs[name][1]["options"] for name in ("context_schedule", "fuse_method", "noise_type", "frame_axis")}
    assert offered == {
        "context_schedule": list(CONTEXT_SCHEDULES), "fuse_method": list(FUSE_METHODS), "noise_type": list(NOISE_TYPES),
        "frame_axis": list(FRAME_AXES),
    }  # fmt: skip
    for name, field in ContextSettings.__dataclass_fields__.items():
        assert inputs[name][1]["default"] == field.default


def test_a_long_video_comes_out_and_one_window_changes_nothing(comfy_server):
    def sampled(**changes):
        return latents_of(comfy_server, comfy_server.prompt(graph(frames=5, **changes)))

    long = frames_of(comfy_server, comfy_server.prompt(graph(frames=35, extra=windows())))
    assert long.shape == (35, 64, 64, 3)
    short = sampled()
    assert torch.equal(sampled(extra=windows(noise_type="freenoise")), short)
    assert not torch.equal(sampled(extra=windows(context_length=3, context_overlap=1)), short)


@pytest.mark.parametrize(
    ("settings", "node", "words"),
    [
        ({"context_length": 4, "context_overlap": 4}, "5", "context_overlap=4 must be smaller than context_length=4; lower"),
        ({"frame_axis": "time"}, "9", "frame_axis=time needs video latents of 5 dimensions"),
        ({"frames_per_video": 2}, "9", "5 frames are not a whole number of videos of frames_per_video=2"),
    ],
)
def test_bad_settings_fail_in_the_node_and_the_server_stays_usable(comfy_server, settings, node, words):
    with pytest.raises(ComfyError) as failed:
        comfy_server.prompt(graph(frames=5, extra=windows(**settings)))
    assert failed.value.details["node_id"] == node
    assert words in failed.value.details["exception_message"]
    assert frames_of(comfy_server, comfy_server.prompt(graph(frames=5, extra=windows(context_length=3, context_overlap=1)))).shape[0] == 5


@pytest.mark.parametrize("value", [{"context_length": 0}, {"context_overlap": -1}, {"context_schedule": "pendulum"}])
def test_values_out_of_range_are_refused_before_the_run(comfy_server, value):
    with pytest.raises(ComfyError) as refused:
        comfy_server.prompt(graph(frames=5, extra=windows(**value)))
    assert next(iter(value)) in str(refused.value.details["node_errors"]["5"])


def test_the_plan_is_drawn(comfy_server):
    nodes = graph(frames=5, extra=windows())
    for unneeded in ("6", "7", "8", "9", "10", "11", "12"):
        del nodes[unneeded]
    nodes["13"] = {"class_type": "ZoetropeShowContextWindows", "inputs": {"model": ["5", 0], "num_frames": 32, "steps": 3}}
    nodes["14"] = {"class_type": "PreviewImage", "inputs": {"images": ["13", 0]}}
    assert comfy_server.prompt(nodes)["outputs"]["14"]["images"]
    nodes["13"]["inputs"]["model"] = ["4", 0]
    with pytest.raises(ComfyError, match="put the node Context Windows in front"):
        comfy_server.prompt(nodes)
