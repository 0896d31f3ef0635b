"""FreeInit: filters and mixes of the published code (tests/data/goldens/freeinit), and what they mean."""

import math

import pytest
import torch
from safetensors.torch import load_file
from zoetrope.samplers.freeinit import LOW_PASS_FILTERS, FreeInitSettings, mix_frequencies, steps_of_iteration

from ...gold_weights import gold_input
from ...places import GOLDENS

every_filter = pytest.mark.parametrize("name", LOW_PASS_FILTERS)


def golden(name):
    return load_file(GOLDENS / "freeinit" / "freeinit.safetensors")[name]


@every_filter
def test_filters_are_those_of_the_published_code(name):
    keep = torch.fft.fftshift(LOW_PASS_FILTERS[name]((16, 8, 8), 0.25, 0.25))
    torch.testing.assert_close(keep, golden(f"lpf_{name}"), atol=1e-5, rtol=0)


@every_filter
def test_mixes_are_those_of_the_published_code(name):
    low, high = (gold_input(f"fi.{letter}", (1, 4, 16, 8, 8)) for letter in "xn")
    mixed = mix_frequencies(low, high, FreeInitSettings(low_pass_filter=name))
    torch.testing.assert_close(mixed, golden(f"mix_{name}"), atol=1e-5, rtol=0)


def wave(size, axis, periods):
    """A cosine along an axis of a video (1, 1, F, H, W)."""
    turns = torch.arange(size[axis]) / size[axis] * periods
    shape = [1] * 5
    shape[axis + 2] = -1
    return torch.cos(2 * math.pi * turns).view(shape).expand(1, 1, *size)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_wave_is_kept_by_the_part_of_its_frequency(axis):
    """The equations by hand, at sizes that differ; d is 2 periods / size, over frames d_s / d_t of it."""
    size, d_s, d_t, periods = (11, 7, 13), 0.5, 0.25, 2
    distance = 2 * periods / size[axis] * (d_s / d_t if axis == 0 else 1)
    parts = {
        "butterworth": 1 / (1 + (distance / d_s) ** 8),
        "gaussian": math.exp(-(distance**2) / (2 * d_s**2)),
        "ideal": float(distance**2 <= 2 * d_s),
    }
    for name, part in parts.items():
        low = wave(size, axis, periods)
        mixed = mix_frequencies(low, torch.zeros_like(low), FreeInitSettings(2, name, d_s, d_t))
        torch.testing.assert_close(mixed, part * low, atol=1e-5, rtol=0)


@every_filter
@pytest.mark.parametrize("size", [(1, 7, 5), (5, 7, 3), (16, 8, 6)])
def test_what_does_not_change_is_kept_and_the_rest_is_the_others(name, size):
    low, high = torch.full((2, 3, *size), 4.0), gold_input("high", (2, 3, *size))
    mixed = mix_frequencies(low, high, FreeInitSettings(low_pass_filter=name))
    torch.testing.assert_close(mixed.mean((2, 3, 4)), torch.full((2, 3), 4.0), atol=1e-5, rtol=0)
    torch.testing.assert_close(mix_frequencies(high, high, FreeInitSettings()), high)


def test_videos_do_not_mix():
    low, high = (gold_input(name, (2, 3, 5, 7, 4)) for name in ("low", "high"))
    mixed = mix_frequencies(low, high, FreeInitSettings())
    alone = mix_frequencies(low[1:], high[1:], FreeInitSettings())
    torch.testing.assert_close(mixed[1:], alone)


def test_steps_grow_over_the_iterations_and_keep_both_ends():
    sigmas = torch.arange(10.0, -1.0, -1.0)
    settings = FreeInitSettings(4, fewer_steps=True)
    schedules = [steps_of_iteration(settings, iteration, sigmas) for iteration in range(4)]
    assert [len(levels) - 1 for levels in schedules] == [2, 5, 7, 10]
    assert all(levels[0] == 10 and levels[-1] == 0 and (levels.diff() < 0).all() for levels in schedules)
    assert schedules[1].tolist() == [10, 8, 6, 4, 2, 0]
    assert steps_of_iteration(settings, 0, sigmas[-2:]).tolist() == [1, 0], "one step at least"
    assert steps_of_iteration(FreeInitSettings(4), 0, sigmas) is sigmas


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"iterations": 0}, "iterations=0 must be at least 1"),
        ({"low_pass_filter": "sharp"}, "low_pass_filter='sharp' must be one of butterworth, gaussian"),
        ({"d_s": 0.0}, "d_s=0.0 must be above 0 and at most 1"),
        ({"d_t": float("nan")}, "d_t=nan must be above 0 and at most 1"),
        ({"frames_per_video": -1}, "frames_per_video=-1 must be at least 0"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        FreeInitSettings(**settings)
