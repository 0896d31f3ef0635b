"""Anchor frames: every window sees them in front of its own frames, with their prompts, hints and masks, and
takes nothing from what comes out there.
"""

import pytest
import torch
from zoetrope.host.injection import MotionSettings, apply_motion_module
from zoetrope.host.windows import ContextSettings, window_plan
from zoetrope.samplers.context_fusion import FusionPlan
from zoetrope.samplers.context_schedules import CONTEXT_SCHEDULES
from zoetrope.tests.comfy.golden_unet import golden_model, motion_module
from zoetrope.tests.comfy.host.context_rig import (
    PRECISE,
    H,
    W,
    controlnet,
    evaluate,
    hint_images,
    prompt,
    seeded,
    windowed,
    with_control,
)
from zoetrope.tests.rounding import assert_same

F = 7
PLAN = [([0, 1], 0), ([0, 2, 3], 1), ([0, 4, 5, 6], 1)]
"""Of the frames that a window sees, how many are anchors only."""
ANCHORED = {"context_schedule": "batched", "context_length": 4, "context_overlap": 0, "anchor_frames": "0"}


@pytest.fixture(scope="module")
def moving():
    return apply_motion_module(golden_model(PRECISE), motion_module("v3"), MotionSettings())


def by_hand(model, noise, given):
    """Each window alone, without windows; given: what frames are told."""
    return torch.cat([evaluate(model, noise[frames], *given(frames))[front:] for frames, front in PLAN])


def prompts_of(frames):
    return [[prompt(F)[0][0][frames], {}]], prompt(seed=3)


def masks_of(frames):
    mask = (torch.arange(F)[:, None, None] + torch.arange(W) < W).float().expand(F, H, W)
    return [*prompt(mask=mask[frames]), *prompt(seed=5)], prompt(seed=3)


def hints_of(frames):
    control = controlnet(hint_images(F)[frames])
    return with_control(prompt(), control), with_control(prompt(seed=3), control)


@pytest.mark.parametrize("given", [prompts_of, masks_of, hints_of], ids=["prompts", "masks", "hints"])
@pytest.mark.parametrize("at_once", [0, 1])
def test_windows_see_them_in_front(moving, given, at_once):
    noise = seeded(F, 4, H, W)
    found = evaluate(windowed(moving, windows_per_batch=at_once, **ANCHORED), noise, *given(list(range(F))))
    assert_same(found, by_hand(moving, noise, given), 1e-5)
    without = windowed(moving, **ANCHORED | {"anchor_frames": ""})
    assert (found - evaluate(without, noise, *given(list(range(F)))))[2:].abs().max() > 1e-3


def test_each_video_of_a_batch_has_its_own(moving):
    noise = seeded(2 * F, 4, H, W)
    model = windowed(moving, frames_per_video=F, **ANCHORED)
    given = (prompt(), prompt(seed=3))
    videos = [by_hand(moving, video, lambda frames: given) for video in noise.split(F)]
    assert_same(evaluate(model, noise, *given), torch.cat(videos), 1e-5)


def test_video_latents_have_theirs_on_the_time_axis():
    windows, _ = ContextSettings(frame_axis="time", **ANCHORED).plan(F, 0, 0.0)
    assert windows == [frames for frames, _ in PLAN]


@pytest.mark.parametrize("schedule", CONTEXT_SCHEDULES)
@pytest.mark.parametrize("anchors", ["0", "0,-1", "::9,3"])
def test_every_schedule_sees_all_anchors_and_takes_each_frame_from_its_own_windows(schedule, anchors):
    settings = ContextSettings(8, 2, schedule, anchor_frames=anchors)
    for frames in (9, 17, 23):
        for step in range(3):
            windows, weights = settings.plan(frames, step, 0.0)
            wanted = {int(a) % frames for a in anchors.split(",") if ":" not in a}
            for window in windows:
                assert wanted <= set(window) and len(window) == len(set(window)) <= 8
            plan = FusionPlan(windows, weights, frames)
            assert all(bool(shares.isfinite().all()) for shares in plan.shares)
    windows, weights = settings.plan(8, 0, 0.0)
    assert windows == [list(range(8))] and min(weights[0]) > 0, "one window sees all"


def test_each_scene_has_its_own():
    settings = ContextSettings(4, 0, "batched", anchor_frames="0", pieces=(5, 3))
    windows, weights = settings.plan(8, 0, 0.0)
    assert windows == [[0, 1], [0, 2, 3, 4], [5, 6, 7]]
    assert weights == [[1.0, 1.0], [0.0, 1.0, 2.0, 1.0], [1.0, 1.0, 1.0]]


def test_the_plan_shows_them_faintly(moving):
    picture, words = window_plan(windowed(moving, **ANCHORED), F, 1)
    assert words.startswith("7 frames: 3.0 windows per step, 1.29 times")
    cell = picture.shape[2] // F
    first = picture[0, cell // 2 :: cell, cell // 2]
    assert first[0].max() > first[1].max() > 0.25 and first[1].max() == first[2].max()


def test_a_module_is_told_how_many_frames_it_sees(moving):
    short = apply_motion_module(golden_model(PRECISE), motion_module("v3", 4), MotionSettings())
    noise, given = seeded(F, 4, H, W), (prompt(), prompt(seed=3))
    expected = evaluate(windowed(moving, **ANCHORED), noise, *given)
    assert_same(evaluate(windowed(short, **ANCHORED), noise, *given), expected)


@pytest.mark.parametrize(
    "settings, told",
    [
        ({"anchor_frames": "0:3", "context_overlap": 1}, 'anchor_frames="0:3" are 3 of the context_length=4'),
        ({"anchor_frames": "7"}, "there is no frame 7"),
        ({"anchor_frames": "x"}, "neither a frame number nor a range"),
        ({"anchor_frames": ","}, "names no frames"),
    ],
)
def test_anchors_that_leave_no_place_are_refused_before_the_first_step(moving, settings, told):
    with pytest.raises(ValueError, match=told):
        model = windowed(moving, **ANCHORED | settings)
        evaluate(model, seeded(F, 4, H, W), prompt(), prompt(seed=3))
