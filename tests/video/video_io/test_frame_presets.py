"""Presets fill in what was left open and nothing else."""

import pytest
from zoetrope.video_io.frame_plan import FrameRequest, plan_frames
from zoetrope.video_io.frame_presets import FRAME_PRESETS, LENGTH_RULES

TIMES = [i / 30 for i in range(400)]


def planned(name, **request):
    return plan_frames(TIMES, FRAME_PRESETS[name].complete(FrameRequest(**request)))


def test_none_changes_nothing():
    request = FrameRequest(1.0, 2.0, 3.0, 4, 5, 6, 8, 1)
    assert FRAME_PRESETS["none"].complete(request) == request and FRAME_PRESETS["none"].multiple_of(3) == 3


@pytest.mark.parametrize(("name", "count", "rate", "multiple"), [
    ("AnimateDiff", 16, 8, 8), ("AnimateDiff, long", 96, 8, 8), ("Wan", 81, 16, 16),
    ("LTX-Video", 97, 25, 32), ("Stable Video Diffusion", 25, 6, 64),
])  # fmt: skip
def test_a_model_gets_what_it_was_published_with(name, count, rate, multiple):
    assert len(planned(name)) == count
    assert FRAME_PRESETS[name].complete(FrameRequest()).force_rate == rate
    assert FRAME_PRESETS[name].multiple_of(8) == multiple and FRAME_PRESETS[name].multiple_of(3) % 3 == 0


def test_what_is_asked_for_stands():
    request = FRAME_PRESETS["Wan"].complete(FrameRequest(force_rate=5.0, frame_cap=30, multiple=8, offset=0))
    assert (request.force_rate, request.frame_cap, request.multiple, request.offset) == (5.0, 30, 8, 0)
    assert len(planned("Wan", frame_cap=30)) == 29


@pytest.mark.parametrize("name", FRAME_PRESETS)
def test_every_preset_keeps_its_own_rule(name):
    preset = FRAME_PRESETS[name]
    multiple, offset = LENGTH_RULES[preset.length]
    assert len(planned(name)) % multiple == offset
    assert preset.frame_cap == 0 or preset.frame_cap % multiple == offset
