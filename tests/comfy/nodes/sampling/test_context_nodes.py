"""The context windows node in a running ComfyUI, over its HTTP API, with good and with bad input."""

import comfy.model_sampling
import pytest
import torch
from zoetrope.devtools.server import ComfyError
from zoetrope.host.windows import FRAME_AXES, ContextSettings, shown_plan
from zoetrope.host.windows import handler as context_handler
from zoetrope.host.windows import settings as context_settings
from zoetrope.samplers.context_fusion import FUSE_METHODS
from zoetrope.samplers.context_schedules import CONTEXT_SCHEDULES, create_context_windows
from zoetrope.samplers.noise import NOISE_TYPES
from zoetrope.tests.comfy.nodes.animatediff.test_motion_nodes import frames_of, graph, latents_of

NODE = "ZoetropeApplyContextWindows"
FIELDS = {
    name: field for name, field in ContextSettings.__dataclass_fields__.items() if name != "pieces"
}  # those come with a storyboard


def windows(**settings):
    defaults = {name: field.default for name, field in FIELDS.items()}
    return {"class_type": NODE, "inputs": {"model": ["4", 0], **defaults, **settings}}


def test_the_node_offers_the_registries_and_the_settings(comfy_server):
    offered = comfy_server.object_info()[NODE]["input"]
    assert set(offered["optional"]) == {
        "start_percent",
        "guarantee_steps",
        "use_on_equal_length",
        "anchor_frames",
        "storyboard",
    }
    inputs = {**offered["required"], **offered["optional"]}
    assert set(inputs) == {"model", "storyboard", *FIELDS}
    offered = {
        name: inputs[name][1]["options"]
        for name in ("context_schedule", "fuse_method", "noise_type", "frame_axis")
    }
    assert offered == {
        "context_schedule": list(CONTEXT_SCHEDULES),
        "fuse_method": list(FUSE_METHODS),
        "noise_type": list(NOISE_TYPES),
        "frame_axis": list(FRAME_AXES),
    }
    for name, field in FIELDS.items():
        assert inputs[name][1]["default"] == field.default


def test_a_long_video_comes_out_and_one_window_changes_nothing(comfy_server):
    def sampled(**changes):
        return latents_of(comfy_server, comfy_server.prompt(graph(frames=5, **changes)))

    long = frames_of(comfy_server, comfy_server.prompt(graph(frames=35, extra=windows())))
    assert long.shape == (35, 64, 64, 3)
    short = sampled()
    assert torch.equal(sampled(extra=windows(noise_type="freenoise")), short)
    assert not torch.equal(sampled(extra=windows(context_length=3, context_overlap=1)), short)


def test_windows_change_in_the_course_of_a_run(comfy_server):
    """Two nodes in a row: the second rules the second of two steps."""
    first = {"context_length": 3, "context_overlap": 1}

    def chained(start):
        nodes = graph(frames=5, extra=windows(**first))
        later = windows(context_length=4, context_schedule="batched", context_overlap=0, start_percent=start)
        nodes["15"] = {**later, "inputs": {**later["inputs"], "model": ["5", 0]}}
        nodes["9"]["inputs"]["model"] = ["15", 0]
        return latents_of(comfy_server, comfy_server.prompt(nodes))

    alone = latents_of(comfy_server, comfy_server.prompt(graph(frames=5, extra=windows(**first))))
    second = chained(0.5)
    assert not torch.equal(second, alone)
    assert torch.equal(chained(0.9), second)


@pytest.mark.parametrize(
    ("settings", "node", "words"),
    [
        (
            {"context_length": 4, "context_overlap": 4},
            "5",
            "context_overlap=4 must be smaller than context_length=4; lower",
        ),
        ({"start_percent": 0.5}, "5", "start_percent=0.5 needs windows that rule until then"),
        ({"frame_axis": "time"}, "9", "frame_axis=time needs video latents of 5 dimensions"),
        ({"frames_per_video": 2}, "9", "5 frames are not a whole number of videos of frames_per_video=2"),
    ],
)
def test_bad_settings_fail_in_the_node_and_the_server_stays_usable(comfy_server, settings, node, words):
    with pytest.raises(ComfyError) as failed:
        comfy_server.prompt(graph(frames=5, extra=windows(**settings)))
    assert failed.value.details["node_id"] == node
    assert words in failed.value.details["exception_message"]
    assert (
        frames_of(
            comfy_server,
            comfy_server.prompt(graph(frames=5, extra=windows(context_length=3, context_overlap=1))),
        ).shape[0]
        == 5
    )


@pytest.mark.parametrize(
    "value", [{"context_length": 0}, {"context_overlap": -1}, {"context_schedule": "pendulum"}]
)
def test_values_out_of_range_are_refused_before_the_run(comfy_server, value):
    with pytest.raises(ComfyError) as refused:
        comfy_server.prompt(graph(frames=5, extra=windows(**value)))
    assert next(iter(value)) in str(refused.value.details["node_errors"]["5"])


def test_the_plan_is_drawn(comfy_server):
    nodes = graph(frames=5, extra=windows())
    for unneeded in ("6", "7", "8", "9", "10", "11", "12"):
        del nodes[unneeded]
    nodes["13"] = {
        "class_type": "ZoetropeShowContextWindows",
        "inputs": {"model": ["5", 0], "num_frames": 32, "steps": 3},
    }
    nodes["14"] = {"class_type": "PreviewImage", "inputs": {"images": ["13", 0]}}
    assert comfy_server.prompt(nodes)["outputs"]["14"]["images"]
    nodes["13"]["inputs"]["model"] = ["4", 0]
    with pytest.raises(ComfyError, match="put the node Context Windows in front"):
        comfy_server.prompt(nodes)


class Plain:
    """A MODEL as far as its windows go."""

    model_options = {}

    @staticmethod
    def get_model_object(name):
        return comfy.model_sampling.ModelSamplingDiscrete()


LONG = [
    (schedule, *settings)
    for schedule in CONTEXT_SCHEDULES
    for settings in ((16, 4, 1), (16, 15, 16), (2, 1, 16), (1, 0, 1))
    if settings[2] == 1 or not schedule.endswith("(AnimateDiff-Evolved)")  # most of its strides are refused
]


@pytest.mark.parametrize(("schedule", "length", "overlap", "stride"), LONG)
def test_a_plan_that_no_picture_holds_is_counted_before_it_is_made(
    monkeypatch, schedule, length, overlap, stride
):
    made = []

    def counted(*arguments):
        windows = create_context_windows(*arguments)
        made.append(len(windows))
        return windows

    monkeypatch.setattr(context_settings, "create_context_windows", counted)
    monkeypatch.setattr(shown_plan, "draw_plan", lambda *arguments: pytest.fail("drawn"))
    settings = ContextSettings(length, overlap, schedule, stride, closed_loop=schedule.startswith("looped"))
    Plain.model_options = {"context_handler": context_handler.ContextWindowHandler(settings)}
    with pytest.raises(
        ValueError,
        match="a plan of 100 steps over num_frames=4096 has [0-9]+ cells, .* lower steps or num_frames",
    ):
        shown_plan.window_plan(Plain, 4096, 100)
    assert 4096 * sum(made[:-1]) <= 1 << 24, "no more windows are made than a picture holds, and one step"


def test_a_plan_as_large_as_a_picture_is_drawn():
    settings = ContextSettings(1, 0, "batched")
    Plain.model_options = {"context_handler": context_handler.ContextWindowHandler(settings)}
    image, words = shown_plan.window_plan(Plain, 4096, 1)
    assert image.shape == (1, 4096, 4096, 3) and words.startswith("4096 frames: 4096.0 windows per step")
    assert torch.equal((image[0].amax(-1) > 0.25).nonzero()[:, 0], torch.arange(4096)), (
        "each window has one frame, its own"
    )


PATCHES = {
    "NAGuidance": ({"nag_scale": 5.0, "nag_alpha": 0.5, "nag_tau": 1.5}, True),
    "FreeU_V2": ({"b1": 1.3, "b2": 1.4, "s1": 0.9, "s2": 0.2}, False),
    "SelfAttentionGuidance": ({"scale": 0.5, "blur_sigma": 2.0}, None),
}


@pytest.mark.parametrize("name", PATCHES)
def test_core_s_patches_are_known_in_a_running_comfyui(comfy_server, name):
    """There core's nodes are modules of other names than in a script that imports them."""
    values, one_by_one = PATCHES[name]
    prompt = graph(frames=5, extra=windows(context_length=3, context_overlap=1))
    prompt["4"] = {"class_type": name, "inputs": {"model": ["1", 0], **values}}
    before = len(comfy_server.log_text())
    if one_by_one is None:
        with pytest.raises(ComfyError, match="'Self-Attention Guidance' remembers the attention"):
            comfy_server.prompt(prompt)
    else:
        comfy_server.prompt(prompt)
        told = "one window in a call" in comfy_server.log_text()[before:]
        assert told == one_by_one
