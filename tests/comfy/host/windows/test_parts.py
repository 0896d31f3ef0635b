"""Several Context Windows on one MODEL: each step is that of the windows that rule it, which alone on the
MODEL are the oracle; what contradicts, or fails at a later step, is refused before the first.
"""

import pytest
import torch
from zoetrope.host.injection import MotionSettings, apply_motion_module
from zoetrope.host.windows import window_plan
from zoetrope.tests.comfy.golden_unet import golden_model, motion_module
from zoetrope.tests.comfy.host.context_rig import PRECISE, F, H, W, evaluate, prompt, seeded, windowed
from zoetrope.tests.rounding import assert_same

LATER = {"context_length": 4, "context_overlap": 2, "context_schedule": "batched", "fuse_method": "flat"}


@pytest.fixture(scope="module")
def animatediff():
    return apply_motion_module(golden_model(PRECISE), motion_module("v2"), MotionSettings())


def level(model, percent):
    return float(model.get_model_object("model_sampling").percent_to_sigma(percent))


def steps(model, *levels, noise=None, frames=F):
    """What the MODEL makes of the same latents at each of these noise levels, in one run."""
    seen = []

    def sampler(model, x, sigmas, extra_args=None, callback=None, disable=None):
        x = x / sigmas[0]
        seen.extend(model(x * sigma, sigma * x.new_ones(len(x)), **extra_args) for sigma in sigmas[:-1])
        return x

    noise = seeded(frames, 4, H, W) if noise is None else noise
    evaluate(model, noise, prompt(frames), prompt(seed=3), sampler=sampler, sigmas=(*levels, 0.0))
    return seen


@pytest.mark.parametrize("windows_per_batch", [0, 1])
def test_each_step_has_the_windows_that_rule_it(animatediff, windows_per_batch):
    middle, end = level(animatediff, 0.4), level(animatediff, 0.7)
    levels = 2 * middle, middle, 1.2 * end, 0.9 * end
    first = windowed(animatediff, windows_per_batch=windows_per_batch)
    then = windowed(first, windows_per_batch=windows_per_batch, start_percent=0.4, **LATER)
    whole = windowed(then, context_length=F, start_percent=0.7)
    alone = [
        steps(m, *levels) for m in (first, windowed(animatediff, windows_per_batch=1, **LATER), animatediff)
    ]
    expected = [alone[0][0], alone[1][1], alone[1][2], alone[2][3]]
    for step, (found, wanted) in enumerate(zip(steps(whole, *levels), expected, strict=True)):
        assert_same(found, wanted)
        others = [results[step] for results in alone if results[step] is not wanted]
        assert all((found - other).abs().max() > 1e-3 for other in others)


def test_a_run_that_begins_later_has_the_windows_of_its_levels(animatediff):
    levels = [level(animatediff, 0.5) * part for part in (0.9, 0.5)]
    chained = windowed(windowed(animatediff), start_percent=0.4, guarantee_steps=2, **LATER)
    chained = windowed(chained, context_length=5, start_percent=0.45)
    alone = steps(windowed(animatediff, context_length=5), *levels)
    for found, wanted in zip(steps(chained, *levels), alone, strict=True):
        assert_same(found, wanted)


def test_guaranteed_steps_are_kept_where_the_next_windows_are_due(animatediff):
    chained = windowed(windowed(animatediff), start_percent=0.3, guarantee_steps=2, **LATER)
    chained = windowed(chained, context_length=5, start_percent=0.35)
    levels = [level(animatediff, percent) * 0.99 for percent in (0.1, 0.4, 0.5, 0.6)]
    alone = [
        steps(m, *levels)
        for m in (
            windowed(animatediff),
            windowed(animatediff, **LATER),
            windowed(animatediff, context_length=5),
        )
    ]
    found = steps(chained, *levels)
    for step, part in enumerate((0, 1, 1, 2)):
        assert_same(found[step], alone[part][step])


def test_videos_and_noise_are_those_of_the_first(animatediff):
    first = windowed(animatediff, frames_per_video=F, noise_type="freenoise")
    chained = windowed(first, start_percent=0.4, **LATER)
    noise, levels = seeded(2 * F, 4, H, W), [level(animatediff, 0.4) * part for part in (2, 1)]
    both = steps(chained, *levels, noise=noise)
    for video in range(2):
        rows = slice(video * F, (video + 1) * F)
        one = windowed(windowed(animatediff, noise_type="freenoise"), start_percent=0.4, **LATER)
        for found, wanted in zip(both, steps(one, *levels, noise=noise[rows]), strict=True):
            assert_same(found[rows], wanted)


def test_a_first_one_replaces_all_and_the_wired_model_stays(animatediff):
    first = windowed(animatediff)
    chained = windowed(first, start_percent=0.4, **LATER)
    assert len(first.model_options["context_handler"].parts.settings) == 1
    anew = windowed(chained, context_length=5)
    assert len(chained.model_options["context_handler"].parts.settings) == 2
    assert [part.context_length for part in anew.model_options["context_handler"].parts.settings] == [5]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"start_percent": 0.4}, r"start_percent=0.4 must be above 0.4, that of the Context Windows"),
        ({"start_percent": 0.2}, r"wire these nodes in the order of their start_percent"),
        ({"noise_type": "empty"}, r"noise_type=empty contradicts default of the first Context Windows"),
        ({"frames_per_video": 2}, r"frames_per_video=2 contradicts 0 .* set it to 0 here, or change"),
        ({"frame_axis": "time"}, r"frame_axis=time contradicts auto"),
        ({"start_percent": 1.0}, r"start_percent=1 must be at least 0 and below 1"),
        ({"guarantee_steps": -1}, r"guarantee_steps=-1 must be at least 0"),
        ({"start_percent": 0.0, "guarantee_steps": 3}, r"guarantee_steps=3 is for windows with a start"),
        ({"closed_loop": True}, r"closed_loop is for looped_uniform, .*=standard_static has none: turn"),
        ({"use_on_equal_length": True}, r"use_on_equal_length is for looped_uniform"),
    ],
)  # fmt: skip
def test_what_contradicts_is_refused(animatediff, settings, words):
    chained = windowed(windowed(animatediff), start_percent=0.4, **LATER)
    with pytest.raises(ValueError, match=words):
        windowed(chained, **{"start_percent": 0.6, **settings})


def test_windows_that_follow_none_are_refused(animatediff):
    with pytest.raises(
        ValueError, match="start_percent=0.5 needs windows that rule until then; put a Context"
    ):
        windowed(animatediff, start_percent=0.5)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"context_overlap": 0, "fuse_method": "overlap-linear (AnimateDiff-Evolved)"},
            "needs a context_overlap of at least 1, it is 0",
        ),
        ({"context_length": 6}, "windows of 6 frames are more than the 5 that the motion module"),
        ({"context_length": F}, "7 frames are more than the 5 that the motion module"),
    ],
)  # fmt: skip
def test_what_fails_at_a_later_step_is_refused_before_the_first(settings, words):
    short = apply_motion_module(golden_model(), motion_module("v2", position_length=5), MotionSettings())
    chained = windowed(windowed(short), start_percent=0.4, **settings)
    levels = [level(short, percent) for percent in (0.1, 0.4, 0.5, 0.6)]
    calls = []
    hook = short.model.diffusion_model.register_forward_pre_hook(lambda *_: calls.append(1))
    with pytest.raises(ValueError, match=words):
        steps(chained, *levels)
    assert calls == []
    assert len(steps(chained, *levels[:1])) == 1, "a run that does not get there is none of its business"
    hook.remove()


def test_the_plan_is_drawn_part_by_part(animatediff):
    chained = windowed(animatediff, context_length=16, context_overlap=4)
    chained = windowed(chained, context_length=8, context_schedule="batched", start_percent=0.5)
    image, words = window_plan(chained, 32, 4)
    assert words.startswith("32 frames: 3.5 windows per step, 1.25 times the work")
    assert image.shape == (1, (3 + 3 + 4 + 4) * 12 + 3 * 6, 32 * 12, 3)


def test_a_video_of_one_window_is_turned_for_a_loop(animatediff):
    """At the second step it begins in its middle, round(7 / 2) = 4: [4, 5, 6, 0, 1, 2, 3]."""
    turned = windowed(
        animatediff, context_length=F, context_schedule="looped_uniform", use_on_equal_length=True
    )
    levels = 3.0, 1.5
    noise, order = seeded(F, 4, H, W), [4, 5, 6, 0, 1, 2, 3]
    first, second = steps(turned, *levels, noise=noise)
    plain = steps(animatediff, *levels, noise=noise)
    assert_same(first, plain[0])
    conds = [[prompt(F)[0][0][order], {"pooled_output": None}]]
    seen = []

    def sampler(model, x, sigmas, extra_args=None, callback=None, disable=None):
        seen.append(model(x / sigmas[0] * 1.5, x.new_full((F,), 1.5), **extra_args))
        return x

    evaluate(animatediff, noise[order], conds, prompt(seed=3), sampler=sampler, sigmas=(3.0, 1.5, 0.0))
    assert_same(second[order], seen[0])
    assert (second - plain[1]).abs().max() > 1e-3
    with_none = windowed(animatediff, context_length=F, context_schedule="looped_uniform")
    assert torch.equal(steps(with_none, *levels, noise=noise)[1], plain[1])
