"""AnimateDiff-Evolved's windows in a run: its weights are core's where core has them, weights follow the
noise level, and what it gets wrong is refused before anything is sampled.
"""

import comfy.context_windows as core
import comfy.sample
import pytest
import torch
from zoetrope.host.windows import window_plan
from zoetrope.samplers.context_fusion import fuse_weights
from zoetrope.samplers.context_schedules import create_context_windows
from zoetrope.tests.comfy.golden_unet import golden_model
from zoetrope.tests.comfy.host.context_rig import PRECISE, F, H, W, evaluate, fuse, prompt, seeded, windowed
from zoetrope.tests.rounding import assert_same

EVOLVED = " (AnimateDiff-Evolved)"


@pytest.fixture(scope="module")
def model():
    return golden_model(PRECISE)


@pytest.mark.parametrize("frames", [range(8), range(5, 13), range(12, 20), range(3, 18, 2)])
def test_linear_and_relative_weights_are_cores(frames):
    window = core.IndexListContextWindow(list(frames), dim=0, total_frames=20, context_overlap=3)
    linear = core.create_weights_overlap_linear(8, 20, window.index_list, context_overlap=3)
    ours = fuse_weights("overlap-linear" + EVOLVED, window.index_list, 20, 3)
    torch.testing.assert_close(torch.tensor(ours), linear)
    method = core.ContextFuseMethod(core.ContextFuseMethods.RELATIVE, None)
    total = torch.zeros(20, dtype=torch.float64)
    core.IndexListContextHandler(None, method).combine_context_window_results(
        total, [torch.zeros(8)], None, window, 0, 1, None, [torch.zeros(20)], None, [total]
    )
    ours = fuse_weights("relative" + EVOLVED, window.index_list, 20, 3)
    torch.testing.assert_close(torch.tensor(ours, dtype=torch.float64), total[window.index_list])


def test_weights_follow_the_noise_level(model):
    """At high noise pyramid-sigma is a pyramid, at low noise the two middle frames decide."""
    noise, positive = seeded(F, 4, H, W), prompt(F)
    windows = create_context_windows("standard_static", F, 4, 2)
    moving = windowed(model, context_length=4, context_overlap=2, fuse_method="pyramid-sigma" + EVOLVED)
    for sigma in (6.0, 0.5):
        parts = [
            evaluate(model, noise[w], [[positive[0][0][w], {}]], prompt(seed=3), sigmas=(sigma, 0.0))
            for w in windows
        ]
        weights = [fuse_weights("pyramid-sigma" + EVOLVED, w, F, 2, sigma) for w in windows]
        assert_same(
            evaluate(moving, noise, positive, prompt(seed=3), sigmas=(sigma, 0.0)),
            fuse(windows, parts, noise, weights),
        )
    assert weights[0] == [0.001, 2.0, 2.0, 0.001]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"fuse_method": "delayed reverse sawtooth", "context_length": 3}, "even length, one has 3 frames"),
        ({"fuse_method": "overlap-linear", "context_overlap": 0}, "needs a context_overlap of at least 1"),
        (
            {"context_schedule": "looped_uniform", "fuse_method": "relative", "context_length": 4},
            "is for windows that do not wrap",
        ),
        (
            {
                "context_schedule": "standard_uniform",
                "context_stride": 2,
                "context_length": 6,
                "context_overlap": 2,
            },
            "leave frames out .*step 2.; set context_stride to 1 or take standard_uniform",
        ),
    ],
)
def test_what_goes_wrong_there_is_refused_before_the_first_step(model, settings, said):
    calls = []

    def record(executor, *args, **kwargs):
        calls.append(1)
        return executor(*args, **kwargs)

    named = {
        key: value + EVOLVED if key in ("fuse_method", "context_schedule") else value
        for key, value in settings.items()
    }
    moving = windowed(model, **named)
    moving.add_wrapper_with_key("diffusion_model", "recorder", record)
    noise = seeded(13, 4, H, W)
    with pytest.raises(ValueError, match=said):
        comfy.sample.sample(
            moving, noise, 6, 1.0, "euler", "normal", prompt(), prompt(), torch.zeros_like(noise), seed=1
        )
    assert not calls


def test_odd_videos_that_fit_into_one_window_need_no_weights(model):
    moving = windowed(
        model, context_length=8, frames_per_video=3, fuse_method="delayed reverse sawtooth" + EVOLVED
    )
    noise = seeded(6, 4, H, W)
    assert_same(
        evaluate(moving, noise, prompt(3), prompt(seed=3)), evaluate(model, noise, prompt(3), prompt(seed=3))
    )


def test_the_plan_is_drawn_with_the_weights_of_its_noise_levels(model):
    moving = windowed(model, context_length=8, context_overlap=4, fuse_method="pyramid-sigma" + EVOLVED)
    picture, words = window_plan(moving, 20, 2)
    plain, _ = window_plan(windowed(model, context_length=8, context_overlap=4), 20, 2)
    assert "20 frames" in words and picture.shape == plain.shape
    half = picture.shape[1] // 2
    assert torch.equal(picture[0, : half - 6], plain[0, : half - 6])
    assert not torch.equal(picture[0, half + 6 :], plain[0, half + 6 :])


@pytest.mark.parametrize(("noise_type", "expected"), [("constant", "first"), ("empty", "none")])
def test_noise_types_hold_for_short_videos_too(model, noise_type, expected):
    seen = []

    def sampler(model, x, sigmas, extra_args=None, callback=None, disable=None):
        seen.append(x.clone())
        return x

    noise = seeded(F, 4, H, W)
    given = noise[:1].expand_as(noise).clone() if expected == "first" else torch.zeros_like(noise)
    evaluate(model, given, prompt(), prompt(), sampler=sampler)
    evaluate(windowed(model, noise_type=noise_type), noise, prompt(), prompt(), sampler=sampler)
    evaluate(
        windowed(model, context_length=F, noise_type=noise_type), noise, prompt(), prompt(), sampler=sampler
    )
    assert torch.equal(seen[0], seen[1]) and torch.equal(seen[0], seen[2])
