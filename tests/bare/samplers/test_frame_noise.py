"""Noise per Frame: the noise that AnimateDiff-Evolved's sample settings make (tests/data/goldens/ade)."""

import pytest
import torch
from safetensors.torch import load_file
from zoetrope.samplers.frame_noise import (
    FRAME_SEEDS,
    ONE_SEED,
    SEED_PER_FRAME,
    FrameNoise,
    FrameNoiseSettings,
)
from zoetrope.samplers.noise import arrange_noise

from ...places import GOLDENS

every_kind = pytest.mark.parametrize("seeds", FRAME_SEEDS)


def drawn(shape, batch_index=None, **settings):
    latent = {"samples": torch.zeros(shape), "batch_index": batch_index}
    return FrameNoise(FrameNoiseSettings(**settings)).generate_noise(latent)


@pytest.mark.parametrize(
    "recorded, noise_type, settings",
    [
        ("comfy.batch_offset", "default", {"seeds": ONE_SEED, "batch_offset": 3}),
        ("comfy.batch_offset.constant", "constant", {"seeds": ONE_SEED, "batch_offset": 2}),
        ("comfy.seed_offset.freenoise", "freenoise", {"seeds": ONE_SEED, "seed_offset": 5}),
        ("auto1111", "default", {}),
        ("auto1111.batch_offset.constant", "constant", {"batch_offset": 2}),
        ("auto1111.freenoise", "freenoise", {}),
    ],
)
def test_noise_is_that_of_animatediff_evolved(recorded, noise_type, settings):
    """18 frames of seed 11, arranged by Context Windows of 8 frames, overlap 3, with the NOISE's seed."""
    noise = FrameNoise(FrameNoiseSettings(noise_seed=11, **settings))
    plain = noise.generate_noise({"samples": torch.zeros(18, 4, 4, 4)})
    expected = load_file(GOLDENS / "ade" / "frame_noise.safetensors")[recorded]
    # Bit-equal on the processor that recorded them; torch draws to the last bit as its kernels round.
    got = arrange_noise(plain, noise_type, 0, 8, 3, noise.seed)
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=0)


@every_kind
def test_parts_of_a_video_get_the_noise_of_their_places(seeds):
    whole = drawn((7, 4, 4, 4), noise_seed=3, seeds=seeds, batch_offset=2)
    part = drawn((3, 4, 4, 4), batch_index=[4, 1, 4], noise_seed=3, seeds=seeds, batch_offset=2)
    assert torch.equal(part, whole[[4, 1, 4]])


def test_seeds_go_round_at_their_end():
    last = 2**64 - 1
    noise = drawn((2, 4, 3, 5), noise_seed=last)
    expected = [torch.randn(1, 4, 3, 5, generator=torch.Generator().manual_seed(seed)) for seed in (last, 0)]
    assert torch.equal(noise, torch.cat(expected))
    assert torch.equal(drawn((1, 4, 3, 5), noise_seed=0, seed_offset=-1), expected[0])


@every_kind
def test_other_latents_are_refused(seeds):
    with pytest.raises(ValueError, match="latents whose frames are the batch"):
        drawn((1, 4, 5, 3, 2), seeds=seeds)
    assert drawn((2, 4, 3, 5), seeds=seeds).dtype == torch.float32


def test_bad_settings_are_refused():
    with pytest.raises(ValueError, match="seeds='many' must be one of one for all frames, one for each"):
        FrameNoiseSettings(seeds="many")
    with pytest.raises(ValueError, match="batch_offset=-1 must be at least 0"):
        FrameNoiseSettings(seeds=SEED_PER_FRAME, batch_offset=-1)


@every_kind
def test_noise_that_does_not_fit_into_memory_is_refused(seeds):
    with pytest.raises(ValueError, match="of memory and"):
        FrameNoise(FrameNoiseSettings(seeds=seeds)).generate_noise(
            {"samples": torch.zeros(1, 1, 1, 1).expand(2**21, 4, 2**10, 2**10)}
        )
