"""Dynamic Thresholding on pixels and on latents, with core's own sampler around it."""

import comfy.latent_formats
import pytest
import torch
from zoetrope.host.sampling.dynamic_thresholding import threshold_latents, threshold_prediction
from zoetrope.nodes.sampling import ThresholdPrediction
from zoetrope.tests.comfy.golden_unet import golden_model, sample
from zoetrope.tests.gold_weights import gold_input
from zoetrope.tests.rounding import assert_same


def thresholded(model, **settings):
    return ThresholdPrediction.execute(model=model, **{"percentile": 99.5, "largest": 100.0} | settings).args[
        0
    ]


def post_cfg(model, denoised, unguided):
    """What the function behind core's guidance makes of a prediction."""
    (function,) = model.model_options["sampler_post_cfg_function"]
    return function({"denoised": denoised, "cond_denoised": unguided})


def test_latents_come_back_into_the_range_that_they_had_without_guidance():
    """By hand: distances from the mean 2 are -8 -4 -1 0 1 4 8, the median of their sizes is 4; without
    guidance the largest is 1. So what is further out than 4 is cut off, and the rest becomes a quarter.
    """
    guided = torch.tensor([-6.0, -2, 1, 2, 3, 6, 10]).view(1, 1, 1, 7)
    unguided = torch.tensor([4.0, 5, 5, 5, 5, 5, 6]).view(1, 1, 1, 7)
    for largest, expected in (
        (100.0, [1.0, 1, 1.75, 2, 2.25, 3, 3]),
        (2.0, [1.0, 1, 1.5, 2, 2.5, 3, 3]),
        (1.0, [1.0, 1, 1, 2, 3, 3, 3]),
    ):
        out = threshold_latents(guided, unguided, largest, 0.5)
        torch.testing.assert_close(out.flatten(), torch.tensor(expected))


def test_channels_and_frames_are_thresholded_one_by_one():
    guided, unguided = gold_input("guided", (3, 4, 7, 5), 3.0), gold_input("unguided", (3, 4, 7, 5))
    out = threshold_latents(guided, unguided, 100.0, 0.9)
    for frame in range(3):
        for channel in range(4):
            place = slice(frame, frame + 1), slice(channel, channel + 1)
            alone = threshold_latents(guided[place], unguided[place], 100.0, 0.9)
            torch.testing.assert_close(out[place], alone)


def test_latents_in_range_stay_bit_for_bit():
    latents = gold_input("guided", (3, 4, 7, 5))
    assert torch.equal(threshold_latents(latents, latents, 100.0, 0.5), latents)
    assert torch.equal(threshold_latents(latents, latents * 1.5, 1.0, 0.5), latents)
    flat = torch.ones(1, 1, 3, 5)
    assert torch.equal(threshold_latents(flat, flat, 1.0, 0.5), flat)


def test_a_broken_frame_breaks_no_other():
    guided, unguided = gold_input("guided", (3, 4, 7, 5), 3.0), gold_input("unguided", (3, 4, 7, 5))
    whole = threshold_latents(guided, unguided, 100.0, 0.9)
    guided[1, 2, 3, 4] = float("nan")
    out = threshold_latents(guided, unguided, 100.0, 0.9)
    assert torch.equal(out[[0, 2]], whole[[0, 2]])
    assert torch.equal(out[1, [0, 1, 3]], whole[1, [0, 1, 3]])


def test_without_guidance_a_run_is_bit_for_bit_that_without_the_node():
    assert torch.equal(sample(thresholded(golden_model()), cfg=1.0), sample(golden_model(), cfg=1.0))


def test_strong_guidance_stays_in_range():
    """At one step to zero the result is the prediction; the network's own at cfg 1."""
    unguided = sample(golden_model(), steps=1, cfg=1.0)
    plain = sample(golden_model(), steps=1, cfg=30.0)
    out = sample(thresholded(golden_model(), percentile=90.0), steps=1, cfg=30.0)

    def furthest(latents):
        return (latents - latents.mean((2, 3), keepdim=True)).abs().amax((2, 3))

    assert (furthest(plain) > 3 * furthest(unguided)).all()
    # The values that are cut off move the mean by a little.
    assert (furthest(out) < 1.2 * furthest(unguided)).all()
    assert_same(out, threshold_latents(plain, unguided, 100.0, 0.9))


def test_pixels_are_thresholded_as_published():
    model = golden_model()
    model.model.latent_format = comfy.latent_formats.ChromaRadiance()
    frames = gold_input("frames", (2, 3, 8, 8), 3.0)
    out = post_cfg(thresholded(model, percentile=90.0, largest=2.0), frames, frames)
    assert torch.equal(out, threshold_prediction(frames, 2.0, 0.9))
    assert out.abs().max() == 1


def test_video_latents_are_thresholded_as_their_frames():
    model = thresholded(golden_model(), percentile=90.0)
    guided, unguided = gold_input("guided", (2, 4, 3, 7, 5), 3.0), gold_input("unguided", (2, 4, 3, 7, 5))
    out = post_cfg(model, guided, unguided)
    for video in (0, 1):
        expected = post_cfg(model, guided[video].transpose(0, 1), unguided[video].transpose(0, 1))
        assert torch.equal(out[video].transpose(0, 1), expected)
    with pytest.raises(ValueError, match="needs latents of 4 or 5 dimensions"):
        post_cfg(model, guided[0, 0], unguided[0, 0])


def test_a_second_node_replaces_the_first_and_no_other_function():
    seen = []
    model = golden_model()
    model.set_model_sampler_post_cfg_function(lambda args: (seen.append(1), args["denoised"])[1])
    twice = thresholded(thresholded(model, percentile=50.0), percentile=90.0)
    assert len(twice.model_options["sampler_post_cfg_function"]) == 2
    assert len(model.model_options["sampler_post_cfg_function"]) == 1
    once = sample(thresholded(golden_model(), percentile=90.0), cfg=9.0)
    assert_same(sample(twice, cfg=9.0), once)
    assert seen


def test_bad_settings_are_refused():
    with pytest.raises(ValueError, match="percentile=20.0 must be"):
        thresholded(golden_model(), percentile=20.0)
    with pytest.raises(ValueError, match="largest=0.5 must be"):
        thresholded(golden_model(), largest=0.5)
