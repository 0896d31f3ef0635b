"""Background smoothing and the way back to T1 are those of the published code."""

import pytest
import torch
from safetensors.torch import load_file
from zoetrope.samplers.text2video_zero.background import (
    SmoothSettings,
    grown,
    smooth_background,
    things_in_latents,
)
from zoetrope.samplers.text2video_zero.motion_fields import CameraField
from zoetrope.samplers.text2video_zero.renoising import PrepareSettings, exact_factors, published_factors

from ....places import GOLDENS

GOLDEN = load_file(GOLDENS / "text2video_zero" / "t2vz.safetensors")
FIELD = CameraField()
LATENTS = torch.cat((GOLDEN["full_x_t1"], GOLDEN["full_xk_t1"]))
THINGS = GOLDEN["bg_mask_in"][0]


def test_the_mix_is_the_published_one():
    got = smooth_background(LATENTS, THINGS, FIELD, SmoothSettings(0.4, as_published=True))
    torch.testing.assert_close(got, GOLDEN["bg_latents_t1"], atol=1e-5, rtol=0)


def test_masks_grow_as_published():
    assert torch.equal(grown(THINGS[:, None])[:, 0], GOLDEN["bg_mask_dilated"][0])


def test_masks_of_pictures_are_brought_to_the_latents():
    large = THINGS.repeat_interleave(8, 1).repeat_interleave(8, 2)
    assert torch.equal(things_in_latents(large, LATENTS)[:, 0], THINGS)


def test_strength_1_and_the_first_frame_stay_as_they_are():
    assert torch.equal(smooth_background(LATENTS, THINGS, FIELD, SmoothSettings(1.0)), LATENTS)
    torch.testing.assert_close(smooth_background(LATENTS, THINGS, FIELD, SmoothSettings(0.0))[0], LATENTS[0])


def test_masks_of_another_shape_of_picture_are_refused():
    with pytest.raises(ValueError, match="the mask is 20x16, latents of 16x16 are of pictures of another sh"):
        smooth_background(LATENTS, torch.zeros(6, 16, 20), FIELD, SmoothSettings())


def test_the_published_product_of_alphas():
    """0.53106 of T0 = 881 and T1 = 941 by scaled_linear betas; the exact one is 0.53053."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    kept = (1 - betas).cumprod(0)
    n0, n1, before0, before1 = (float(((1 - kept[t]) / kept[t]) ** 0.5) for t in (881, 941, 880, 940))
    frame, noise = published_factors(n0, n1, before0, before1)
    assert (noise**2 * float(kept[941])) == pytest.approx(1 - 0.5310642719268799, abs=1e-6)
    assert frame == pytest.approx((0.5310642719268799 * float(kept[881] / kept[941])) ** 0.5, abs=1e-6)
    assert exact_factors(n0, n1)[1] ** 2 * float(kept[941]) == pytest.approx(1 - 0.53053, abs=1e-5)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"num_frames": 1}, "num_frames=1 must be at least 2; one frame cannot move"),
        ({"t1_step": 6}, "t1_step=6 must be at least 1 and not larger than t0_step=5"),
        ({"t1_step": 0}, "t1_step=0 must be at least 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(values, told):
    with pytest.raises(ValueError, match=told):
        PrepareSettings(**values)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"keep": 1.1}, "keep=1.1 must be between 0 and 1"),
        ({"keep": float("nan")}, "keep=nan must be"),
        ({"frames_per_video": -1}, "frames_per_video=-1 must be at least 0"),
    ],
)
def test_smoothing_that_makes_no_sense_is_refused(values, told):
    with pytest.raises(ValueError, match=told):
        SmoothSettings(**values)


@pytest.mark.parametrize(("t1", "t0", "steps", "fits"), [(2, 5, 5, True), (2, 5, 4, False), (5, 5, 5, False)])
def test_a_step_must_remain_behind_t1(t1, t0, steps, fits):
    settings = PrepareSettings(t1_step=t1, t0_step=t0)
    if fits:
        settings.check_steps(steps)
        return
    with pytest.raises(ValueError, match=f"smaller than the {steps} steps of the sigmas"):
        settings.check_steps(steps)
