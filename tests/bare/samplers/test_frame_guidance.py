"""Rules for every shape of guidance over frames, and the published schedules."""

import pytest
import torch
from zoetrope.samplers.frame_guidance import (
    GUIDANCE_SHAPES,
    WAVE_FUSINGS,
    GuidanceSettings,
    guidance_of_frames,
    read_periods,
)

FRAMES = [1, 2, 7, 14, 25]


def scale_of(shape, num_frames, least, most, **settings):
    return guidance_of_frames(GuidanceSettings(shape, least, **settings), num_frames, most)


@pytest.mark.parametrize("shape", GUIDANCE_SHAPES)
@pytest.mark.parametrize("num_frames", FRAMES)
@pytest.mark.parametrize("fusing", WAVE_FUSINGS)
def test_every_shape_has_a_scale_for_every_frame_between_the_two(shape, num_frames, fusing):
    scale = scale_of(shape, num_frames, 1.0, 3.0, edge=0.2, periods="1.0, 0.3", period_fusing=fusing)
    assert scale.shape == (num_frames,)
    assert float(scale.min()) >= 1.0 - 1e-6
    assert float(scale.max()) <= 3.0 + 1e-6


@pytest.mark.parametrize("shape", GUIDANCE_SHAPES)
def test_every_shape_begins_at_the_least_and_is_even_where_both_are_equal(shape):
    assert float(scale_of(shape, 21, 1.0, 3.0)[0]) == pytest.approx(1.0)
    assert scale_of(shape, 7, 2.5, 2.5).tolist() == pytest.approx([2.5] * 7)


@pytest.mark.parametrize("shape", GUIDANCE_SHAPES)
def test_the_largest_may_be_the_smaller_one(shape):
    up, down = (scale_of(shape, 21, *ends) for ends in ((1.0, 3.0), (3.0, 1.0)))
    torch.testing.assert_close(up + down, torch.full((21,), 4.0))


@pytest.mark.parametrize("shape", ["triangle", "trapezoid", "multi_period"])
def test_symmetric_shapes(shape):
    scale = scale_of(shape, 21, 1.0, 3.0, edge=0.2, periods="1.0, 0.5")
    torch.testing.assert_close(scale, scale.flip(0))


def test_published_schedules():
    linear = scale_of("linear", 14, 1.0, 2.5)
    torch.testing.assert_close(linear, torch.linspace(1.0, 2.5, 14))
    triangle = scale_of("triangle", 5, 1.0, 2.5)
    assert triangle.tolist() == pytest.approx([1.0, 1.75, 2.5, 1.75, 1.0])
    trapezoid = scale_of("trapezoid", 10, 1.0, 3.0, edge=0.3)
    assert trapezoid.tolist() == pytest.approx([1, 2, 3, 3, 3, 3, 3, 3, 2, 1])


@pytest.mark.parametrize(
    ("fusing", "expected"),
    [("max", [0, 1, 1, 1, 0]), ("mean", [0, 0.75, 0.5, 0.75, 0]), ("multiply", [0, 0.5, 0, 0.5, 0])],
)
def test_waves_of_several_periods(fusing, expected):
    scale = scale_of("multi_period", 5, 0.0, 1.0, periods="1.0, 0.5", period_fusing=fusing)
    assert scale.tolist() == pytest.approx(expected)


def test_periods_are_read():
    assert read_periods("1, 0.5;0.25,") == [1.0, 0.5, 0.25]
    with pytest.raises(ValueError, match="periods='1, x' must be numbers with commas"):
        read_periods("1, x")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"shape": "square"}, "shape='square' must be one of linear"),
        ({"period_fusing": "sum"}, "period_fusing='sum' must be one of max"),
        ({"shape": "trapezoid", "edge": 0.6}, "edge=0.6 must be 0 to 0.5"),
        ({"shape": "multi_period", "periods": ""}, "periods=.. must be numbers above 0"),
        ({"shape": "multi_period", "periods": "1, 0"}, "periods=.1.0, 0.0. must be numbers above 0"),
    ],
)
def test_bad_settings_are_refused(settings, told):
    with pytest.raises(ValueError, match=told):
        GuidanceSettings(**settings)
