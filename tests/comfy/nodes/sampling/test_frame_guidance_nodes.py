"""Guidance over Frames, with core's own sampler and guidance around it."""

import pytest
from comfy_extras.nodes_video_model import VideoLinearCFGGuidance, VideoTriangleCFGGuidance
from zoetrope.nodes.sampling import SetFrameGuidance
from zoetrope.tests.comfy.golden_unet import golden_model, sample
from zoetrope.tests.rounding import assert_same


def guided(**changes):
    given = {
        "shape": "linear",
        "min_cfg": 1.0,
        "edge": 0.1,
        "periods": "1, 0.5",
        "period_fusing": "max",
    } | changes
    return SetFrameGuidance.execute(model=golden_model(), **given).args[0]


@pytest.mark.parametrize(
    ("shape", "core"), [("linear", VideoLinearCFGGuidance), ("triangle", VideoTriangleCFGGuidance)]
)
def test_shapes_that_core_has_are_cores(shape, core):
    (expected,) = core().patch(golden_model(), 1.5)
    assert_same(sample(guided(shape=shape, min_cfg=1.5)), sample(expected))


@pytest.mark.parametrize("shape", ["trapezoid", "multi_period"])
def test_other_shapes_guide_frames_differently(shape):
    plain = sample(golden_model())
    out = sample(guided(shape=shape, edge=0.4))
    assert (out[0] - plain[0]).abs().max() > 1e-3  # the first frame has the least guidance
    assert_same(sample(guided(shape=shape, min_cfg=3.0)), plain)


def test_at_cfg_1_frames_with_another_least_value_are_still_guided():
    assert_same(sample(guided(min_cfg=3.0), cfg=1.0)[0], sample(golden_model(), cfg=3.0)[0])


def test_bad_guidance_is_refused():
    with pytest.raises(ValueError, match="periods='one' must be numbers"):
        guided(periods="one")
    with pytest.raises(ValueError, match="edge=0.7 must be 0 to 0.5"):
        guided(edge=0.7)
