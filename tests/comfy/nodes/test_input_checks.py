"""Numbers, choices, texts and shapes that come over a link are checked as those that are typed in:
one rule for every node.
"""

import asyncio
import math

import numpy as np
import pytest
import torch
from comfy_api.latest import io
from zoetrope.nodes import ZoetropeExtension
from zoetrope.nodes.frames import (
    CompareClips,
    DrawOpticalFlow,
    PlotFrameDifferences,
    RemoveFlicker,
    ReverseFrames,
)
from zoetrope.nodes.input_checks import check_inputs
from zoetrope.nodes.video import CreateVideo
from zoetrope.tests.comfy.nodes.test_texts import SCHEMAS

import nodes as core

NUMBERS = [
    (schema, entry)
    for schema in SCHEMAS.values()
    for entry in schema.inputs
    if isinstance(entry, io.Int.Input | io.Float.Input)
]
every_number = pytest.mark.parametrize(
    "schema, entry", NUMBERS, ids=[f"{s.node_id}.{e.id}" for s, e in NUMBERS]
)


def of_type(io_type):
    """An input of that type somewhere in the pack, with its schema."""
    return next(
        (schema, entry.id)
        for schema in SCHEMAS.values()
        for entry in schema.inputs
        if entry.get_io_type() == io_type
    )


def refused(schema, name, value):
    with pytest.raises(ValueError) as error:
        check_inputs(schema, {name: value})
    told = str(error.value)
    assert name in told and len(told) < 400 and told.isprintable()
    return told


@every_number
def test_every_number_of_every_node_is_checked(schema, entry):
    no_numbers = [math.nan, math.inf, -math.inf, 10**400, -(10**5000), "8", None, True, torch.zeros(2)]
    if entry.optional:
        no_numbers.remove(None)  # it may be left away
    for value in no_numbers if schema.is_input_list else [*no_numbers, [1]]:
        refused(schema, entry.id, value)
    kind = int if isinstance(entry, io.Int.Input) else float
    for bound, beyond in ((entry.min, entry.min - 1), (entry.max, entry.max + 1)):
        told = refused(schema, entry.id, kind(beyond))
        assert f"{entry.id}={kind(beyond)} must be" in told
        assert check_inputs(schema, {entry.id: bound}) == {entry.id: bound}
    if entry.default is not None:
        given = check_inputs(schema, {entry.id: np.float32(entry.default)})[entry.id]
        assert type(given) is kind and math.isclose(given, entry.default, rel_tol=1e-6)
        assert type(check_inputs(schema, {entry.id: torch.tensor(float(entry.default))})[entry.id]) is kind


def test_a_whole_number_may_come_as_a_float_and_no_other():
    schema, name = of_type("INT")
    assert check_inputs(schema, {name: 16.0}) == {name: 16}
    assert "16.5 must be a whole number" in refused(schema, name, 16.5)


def test_a_seed_keeps_all_its_digits():
    seed = 0xFFFFFFFFFFFFFFFE
    assert check_inputs(SCHEMAS["ZoetropeMakeReferenceNoise"], {"noise_seed": seed}) == {"noise_seed": seed}


def test_choices_switches_and_texts():
    compare = SCHEMAS["ZoetropeCompareClips"]
    assert "length='longer\\n' must be one of longest, shortest" in refused(compare, "length", "longer\n")
    assert "length='3'" in refused(compare, "length", 3)
    assert "labels must be text, this is a int ('3')" in refused(compare, "labels", 3)
    assert "labels got nothing" in refused(compare, "labels", None)
    assert "half a character (\\ud83d) at place 2" in refused(compare, "labels", "ab\ud83d")
    numbers = SCHEMAS["ZoetropeMakeContactSheet"]
    assert check_inputs(numbers, {"numbers": 1}) == {"numbers": True}
    assert "numbers must be on or off" in refused(numbers, "numbers", 2)


def test_a_list_of_files_is_the_nodes_own_affair():
    schema = SCHEMAS["ZoetropeLoadMotionModule"]
    given = {"motion_module": "put there just now.ckpt"}
    assert check_inputs(schema, given, unlisted={"motion_module"}) == given


@pytest.mark.parametrize(
    "shape",
    [
        (4, 5, 3),
        (2, 4, 5, 3, 1),
        (0, 4, 5, 3),
        (2, 0, 5, 3),
        (2, 4, 0, 3),
        (2, 4, 5, 0),
        (2, 4, 5, 2),
        (2, 4, 5, 7),
    ],
)
def test_images_of_no_shape(shape):
    told = refused(SCHEMAS["ZoetropeCreateVideo"], "images", torch.zeros(shape))
    assert f"images has shape {shape}" in told
    clips = {"clip0": torch.zeros(2, 4, 5, 3), "clip1": torch.zeros(shape)}
    with pytest.raises(ValueError, match="clip1 has shape"):
        check_inputs(SCHEMAS["ZoetropeCompareClips"], {"clips": clips})


@pytest.mark.parametrize(
    "value",
    [None, "x", 3, [torch.zeros(1, 4, 5, 3)], {}, {"samples": torch.zeros(3, 5)}, torch.zeros(4), object()],
)
def test_what_is_no_frames_at_all(value):
    for node in ("ZoetropeReverseFrames", "ZoetropeCountFrames", "ZoetropeMakeContactSheet"):
        refused(SCHEMAS[node], "frames", value)


@pytest.mark.parametrize("shape", [(0, 4, 5), (3, 4, 0), (3, 0, 5), (0, 5), (4,)])
def test_masks_of_no_shape(shape):
    for node, name in (
        ("ZoetropeMakeContactSheet", "frames"),
        ("ZoetropeCountFrames", "frames"),
        ("ZoetropeSaveFrames", "mask"),
    ):
        refused(SCHEMAS[node], name, torch.zeros(shape))


@pytest.mark.parametrize(
    "samples",
    [
        torch.zeros(2, 4, 8),
        torch.zeros(1, 2, 4, 8, 8, 8),
        torch.zeros(0, 4, 8, 8),
        torch.zeros(2, 4, 0, 8),
        None,
        [1],
    ],
)
def test_latents_of_no_shape(samples):
    for node, name in (("ZoetropeSaveLatents", "samples"), ("ZoetropeReverseFrames", "frames")):
        refused(SCHEMAS[node], name, {"samples": samples})
    good = torch.zeros(2, 4, 8, 8)
    assert "noise mask" in refused(
        SCHEMAS["ZoetropeReverseFrames"], "frames", {"samples": good, "noise_mask": torch.zeros(2, 0, 3)}
    )


def test_what_nodes_really_give_comes_through():
    image = core.EmptyImage().generate(5, 3, 2, 0)[0]
    latent = core.EmptyLatentImage().generate(64, 32, 3)[0]
    with_opacity = torch.cat([image, image[..., :1]], -1)
    for value in (image, latent, image[..., 0], image[0, ..., 0], image[..., :1], with_opacity, image.half()):
        assert check_inputs(SCHEMAS["ZoetropeReverseFrames"], {"frames": value})["frames"] is value
    audio = {"waveform": torch.zeros(1, 2, 5), "sample_rate": 44100}
    assert check_inputs(SCHEMAS["ZoetropeSaveFrames"], {"audio": audio, "mask": None}) == {
        "audio": audio,
        "mask": None,
    }


@pytest.mark.parametrize(
    "audio",
    [
        "x",
        {},
        {"waveform": torch.zeros(5), "sample_rate": 8},
        {"waveform": torch.zeros(1, 1, 5), "sample_rate": math.nan},
        {"waveform": torch.zeros(1, 1, 5), "sample_rate": 0},
    ],
)
def test_sound_of_no_kind(audio):
    refused(SCHEMAS["ZoetropeSaveFrames"], "audio", audio)


LINKS = sorted({entry.get_io_type() for schema in SCHEMAS.values() for entry in schema.inputs})


@pytest.mark.parametrize("io_type", LINKS)
def test_a_link_of_another_kind_is_refused(io_type):
    schema, name = of_type(io_type)
    if io_type.startswith("COMFY_AUTOGROW"):
        with pytest.raises(ValueError, match="clip0 must be (an IMAGE|SCORES)"):
            check_inputs(schema, {name: {"clip0": object()}})
    else:
        refused(schema, name, object())


def test_every_node_is_guarded():
    for node in asyncio.run(ZoetropeExtension().get_node_list()):
        assert "ZoetropeNode" in [base.__name__ for base in node.__mro__], node
        for name in ("execute", "validate_inputs", "fingerprint_inputs", "check_lazy_status"):
            if name in node.__dict__:
                assert hasattr(node.__dict__[name].__func__, "_zoetrope_guarded"), (node, name)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_pictures_of_one_to_four_channels_run_through_every_tool(channels):
    grey = torch.arange(3.0).view(3, 1, 1, 1).expand(3, 48, 64, channels) / 4
    colour = grey[..., :1].expand(-1, -1, -1, 3)
    video = CreateVideo.execute(grey, 8.0, 18.0)[0].get_components()
    torch.testing.assert_close(video.images, colour, atol=3 / 255, rtol=0)
    assert torch.equal(
        CompareClips.execute({"clip0": grey}, "", columns=0, length="longest", label_height=24)[0], colour
    )
    reference = {"match": "reference frame", "radius": 4.0, "strength": 1.0, "reference_frame": 0}
    even = RemoveFlicker.execute(grey, **reference)[0]
    assert even.shape[-1] == max(3, channels) and torch.equal(even[..., :3], colour[:1].expand(3, -1, -1, -1))
    assert DrawOpticalFlow.execute(grey, 0.0)[0].shape == (2, 48, 64, 3)
    assert "mean 63.75" in PlotFrameDifferences.execute({"clip0": grey}, "", 256, 160)[1]
    assert ReverseFrames.execute(grey)[0].shape[-1] == channels
