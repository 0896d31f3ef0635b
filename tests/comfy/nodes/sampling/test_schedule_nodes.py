"""Prompts and values over frames in a running ComfyUI, over its HTTP API, with good and with bad input."""

import pytest
import torch
from comfy_extras.nodes_hooks import CreateHookKeyframesFromFloats
from zoetrope.devtools.server import ComfyError
from zoetrope.nodes.sampling import SchedulePrompts, ScheduleValues
from zoetrope.nodes.sampling.schedule_prompts import EXAMPLE
from zoetrope.tests.comfy.nodes.animatediff.test_motion_nodes import frames_of, graph, latents_of

PROMPTS, VALUES = "ZoetropeSchedulePrompts", "ZoetropeScheduleValues"
DEFAULTS = {"pre_text": "", "app_text": "", "num_frames": 16, "curve": "linear", "loop": False,
            "read_as": "Zoetrope"}  # fmt: skip
OF_VALUES = {"num_frames": 5, "curve": "linear", "loop": False, "read_as": "Zoetrope", "frame": 0}


def travelled(text=EXAMPLE, frames=5, **settings):
    """A graph whose prompts are over frames, as many as its latent has."""
    nodes = graph(frames=frames)
    (sampler,) = [node for node in nodes.values() if node["class_type"] == "KSampler"]
    clip = next(n for n in nodes.values() if n["class_type"] == "CLIPTextEncode")["inputs"]["clip"]
    latent = sampler["inputs"]["latent_image"]
    nodes["20"] = {
        "class_type": PROMPTS,
        "inputs": {"clip": clip, "text": text, "latent": latent, **DEFAULTS, **settings},
    }
    sampler["inputs"] |= {"positive": ["20", 0], "negative": ["20", 1]}
    return nodes


def test_each_frame_of_a_batch_has_its_prompt(comfy_server):
    """Frames of a plain checkpoint know nothing of each other, so each is that of its prompt alone."""

    def latents(text):
        nodes = travelled(text)
        (sampler,) = [node for node in nodes.values() if node["class_type"] == "KSampler"]
        (loader,) = [i for i, node in nodes.items() if node["class_type"] == "CheckpointLoaderSimple"]
        sampler["inputs"]["model"] = [loader, 0]
        return latents_of(comfy_server, comfy_server.prompt(nodes))

    both, red, blue = map(latents, ('"0": "a red ball", "4": "a blue ball"', '"0": "a red ball"',
                                    '"0": "a blue ball"'))  # fmt: skip
    assert (both[0] - red[0]).abs().max() < 1e-4 < (both[0] - blue[0]).abs().max()
    assert (both[4] - blue[4]).abs().max() < 1e-4 < (both[4] - red[4]).abs().max()


def test_the_drawing_is_on_the_node(comfy_server):
    nodes = travelled()
    nodes["21"] = {"class_type": VALUES, "inputs": {"text": "0:(1), 4:(t)", **OF_VALUES}}
    nodes["20"]["inputs"] |= {"pw_a": ["21", 0], "text": '"0": "(red:`pw_a`)"'}
    outputs = comfy_server.prompt(nodes)["outputs"]
    for node in ("20", "21"):
        (image,) = outputs[node]["images"]
        assert image["type"] == "temp"


def test_windows_and_other_curves_run(comfy_server):
    for settings in ({"curve": "ease", "loop": True}, {"curve": "compounding (AnimateDiff-Evolved)"}):
        text = '"0": "a red ball", "max_f/2": "a blue ball --neg red"'
        assert frames_of(comfy_server, comfy_server.prompt(travelled(text, **settings))).shape[0] == 5


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"text": '"0": "a",\n"4" "b"'}, "text, line 2, column 5: found '\"b\"', expected a colon"),
        ({"text": ""}, "text, line 1, column 1: the text ends, expected a frame number"),
        ({"pre_text": "a `t"}, "pre_text, line 1, column 3: this backtick has no partner"),
        ({"text": '"0": "\U0001f3ac`t.x`"'}, "text, line 1, column 9: this is no part of an expression"),
        ({"latent": None, "num_frames": 7}, "the prompts are for 7 frames and the video has 5"),
    ],
)
def test_bad_texts_fail_in_their_node_and_the_server_stays_usable(comfy_server, changes, words):
    nodes = travelled(**changes)
    nodes["20"]["inputs"] = {k: v for k, v in nodes["20"]["inputs"].items() if v is not None}
    with pytest.raises(ComfyError) as failed:
        comfy_server.prompt(nodes)
    assert words in failed.value.details["exception_message"]
    assert comfy_server.prompt(travelled())["outputs"]


def test_values_go_into_cores_hook_keyframes_and_one_is_put_out():
    values, one, drawing = ScheduleValues.execute(text="0: 0.5, 4: 1", **OF_VALUES | {"frame": 2}).args
    assert values == [0.5, 0.625, 0.75, 0.875, 1.0] and one == 0.75 and drawing.shape == (1, 320, 768, 3)
    (hooks,) = CreateHookKeyframesFromFloats().create_hook_keyframes(values, 0.0, 1.0, print_keyframes=False)
    assert [frame.strength for frame in hooks.keyframes] == values


def test_bad_values_are_refused():
    with pytest.raises(ValueError, match="frame=5 must be at most 4, the last frame; lower it"):
        ScheduleValues.execute(text="0: 1", **OF_VALUES | {"frame": 5})
    with pytest.raises(ValueError, match="text, line 1, column 4: 'x' is not known"):
        ScheduleValues.execute(text="0: x", **OF_VALUES)


class Clip:
    """As far as the inputs are looked at."""

    def tokenize(self, text):
        return text


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"pw_a": [1.0, float("nan")]}, "number 1 of pw_a=nan must be a finite number"),
        ({"pw_b": []}, "pw_b holds no numbers; wire one for each frame"),
        ({"pw_c": ["a"] * 16}, "number 0 of pw_c must be a number, this is a str"),
        ({"pw_d": [1.0, 2.0]}, "pw_d holds 2 numbers for 16 frames; wire one for each frame"),
        ({"latent": {"samples": torch.zeros(1, 4, 5, 8, 8)}}, r"\(1, 4, 5, 8, 8\), as those of video models"),
        ({"clip": None}, "clip got nothing"),
    ],
)
def test_bad_inputs_are_refused_before_anything_is_encoded(given, words):
    with pytest.raises(ValueError, match=words):
        SchedulePrompts.execute(**{"clip": Clip(), "text": EXAMPLE, **DEFAULTS, **given})
