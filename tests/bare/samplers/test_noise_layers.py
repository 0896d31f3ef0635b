"""Combine Noise: the noise that AnimateDiff-Evolved's noise layers make (tests/data/goldens/ade)."""

import math

import pytest
import torch
from safetensors.torch import load_file
from zoetrope.samplers.frame_noise import ONE_SEED, SEED_PER_FRAME, FrameNoise, FrameNoiseSettings
from zoetrope.samplers.noise_layers import LayeredNoise, NoiseLayerSettings
from zoetrope.samplers.shared_noise import SharedNoise, SharedNoiseSettings

from ...places import GOLDENS

RECORDED = load_file(GOLDENS / "ade" / "noise_layers.safetensors")
LATENT = {"samples": torch.zeros(7, 4, 6, 4)}


class Given:
    """A NOISE that is known."""

    seed = 3

    def __init__(self, noise):
        self.noise = noise

    def generate_noise(self, latent):
        return self.noise


def of_seed(seed, seeds=ONE_SEED, **settings):
    return FrameNoise(FrameNoiseSettings(noise_seed=seed, seeds=seeds, **settings))


def layered(below, above, mask=None, **settings):
    return LayeredNoise(below, above, NoiseLayerSettings(**settings), mask)


BASE, OTHER = of_seed(11), of_seed(16)
MASK, ONE_MASK = RECORDED["mask"], RECORDED["one_mask"]
WEIGHTED = {"combine": "add weighted", "weight": 0.3, "balance": 0.7}
CASES = {
    "add": layered(BASE, OTHER, combine="add", weight=0.3),
    "add_weighted": layered(BASE, OTHER, **WEIGHTED),
    "normalized_sum": layered(BASE, OTHER, weight=0.3),
    "replace": layered(BASE, OTHER, weight=1.0),
    "add.mask": layered(BASE, OTHER, MASK, combine="add", weight=0.3),
    "normalized_sum.one_mask": layered(BASE, OTHER, ONE_MASK, weight=0.3),
    "replace.mask": layered(BASE, OTHER, MASK, weight=1.0),
    "add_weighted.auto1111": layered(BASE, of_seed(16, SEED_PER_FRAME, batch_offset=2), **WEIGHTED),
    "replace.constant.one_mask": layered(
        BASE, SharedNoise(OTHER, SharedNoiseSettings()), ONE_MASK, weight=1.0
    ),
    "normalized_sum.empty": layered(BASE, Given(torch.zeros(7, 4, 6, 4)), weight=0.3),
    "chained": layered(
        layered(of_seed(13), of_seed(14, SEED_PER_FRAME), weight=0.6), of_seed(18), ONE_MASK, weight=1.0
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_noise_is_that_of_animatediff_evolved(name):
    """Seed 11, layers with seed_offset 5; in chains the layer nearest to the sampler comes first there."""
    got = CASES[name].generate_noise(LATENT)
    # torch draws to the last bit as the processor's kernels round.
    torch.testing.assert_close(got, RECORDED[name], atol=1e-5, rtol=0)


def test_every_recorded_case_is_compared():
    assert set(CASES) == set(RECORDED) - {"mask", "one_mask"}


def test_video_latents_have_their_masks_along_time():
    below, above = torch.randn(2, 3, 5, 2, 3), torch.randn(2, 3, 5, 2, 3)
    mask = torch.rand(5, 2, 3)
    got = layered(Given(below), Given(above), mask, weight=1.0).generate_noise({"samples": below})
    expected = below + mask * (above - below)
    torch.testing.assert_close(got, expected)
    assert layered(Given(below), Given(above)).seed == 3


@pytest.mark.parametrize("weight", [0.0, 0.25, 0.5, 1.0])
def test_a_normalized_sum_keeps_the_variance(weight):
    assert math.isclose(sum(f**2 for f in NoiseLayerSettings(weight=weight).factors), 1.0)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"combine": "multiply"}, "combine='multiply' must be one of normalized sum, add, add weighted"),
        ({"weight": -0.1}, "weight=-0.1 must be at least 0"),
        ({"weight": math.nan}, "weight=nan must be at least 0"),
        ({"combine": "add weighted", "balance": math.inf}, "balance=inf must be at least 0"),
        ({"weight": 1.5}, "weight=1.5 of a normalized sum must be at most 1"),
        ({"balance": 0.5}, "balance=0.5 is for add weighted; set it to 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        NoiseLayerSettings(**settings)


def test_latents_and_masks_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="has 3 frames, the latents have 7; give one mask, or one for each"):
        layered(BASE, OTHER, torch.ones(3, 6, 4)).generate_noise(LATENT)
    with pytest.raises(ValueError, match="needs latents of 4 or 5 dimensions alone"):
        layered(BASE, OTHER).generate_noise({"samples": torch.zeros(7, 4, 6)})
