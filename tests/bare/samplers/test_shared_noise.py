"""Noise that frames share: its correlations are those of the papers' equations."""

import pytest
import torch
from zoetrope.samplers.shared_noise import NOISE_SHARES, SharedNoise, SharedNoiseSettings, share_noise


class Drawn:
    """A NOISE as core's: row after row, a row's numbers depend on its place alone."""

    seed = 5

    def generate_noise(self, latent):
        samples = latent["samples"]
        places = latent.get("batch_index") or range(len(samples))
        rows = [
            torch.randn(samples.shape[1:], generator=torch.Generator().manual_seed(100 + place))
            for place in places
        ]
        return torch.stack(rows).to(samples.dtype)


def drawn(shape, **latent):
    return Drawn().generate_noise({"samples": torch.zeros(shape), **latent})


def shared(shape, dtype=torch.float32, batch_index=None, **settings):
    latent = {"samples": torch.zeros(shape, dtype=dtype)}
    if batch_index is not None:
        latent["batch_index"] = batch_index
    return SharedNoise(Drawn(), SharedNoiseSettings(**settings)).generate_noise(latent)


def correlations(share, amount, frames=5):
    noise = share_noise(
        torch.randn(frames, 3, 149, 151, generator=torch.Generator().manual_seed(1)),
        torch.randn(1, 3, 149, 151, generator=torch.Generator().manual_seed(2)),
        SharedNoiseSettings(share, amount),
    )
    return torch.cov(noise.flatten(1))


# 67497 numbers a frame: a sample's covariance strays by 1 / sqrt(67497) = 0.004.
STRAY = 0.02


@pytest.mark.parametrize("amount", [0.0, 0.5, 1.0, 2.0])
def test_any_two_frames_of_mixed_noise_agree_as_pyoco_says(amount):
    expected = torch.full((5, 5), amount**2 / (1 + amount**2)).fill_diagonal_(1.0)
    torch.testing.assert_close(correlations("mixed", amount), expected, atol=STRAY, rtol=0)


@pytest.mark.parametrize("amount", [0.0, 0.5, 1.0, 2.0])
def test_frames_of_progressive_noise_agree_the_less_the_further_apart(amount):
    distance = (torch.arange(5)[:, None] - torch.arange(5)).abs()
    expected = (amount / (1 + amount**2) ** 0.5) ** distance
    torch.testing.assert_close(correlations("progressive", amount), expected, atol=STRAY, rtol=0)


def test_the_same_noise_is_the_first_that_is_drawn():
    noise = shared((7, 4, 5, 3))
    assert torch.equal(noise, drawn((1, 4, 5, 3)).expand(7, -1, -1, -1))


@pytest.mark.parametrize("share", NOISE_SHARES)
def test_nothing_shared_is_the_wrapped_noise(share):
    noise = shared((7, 4, 5, 3), share=share, amount=0.0)
    if share != "same":
        assert torch.equal(noise, drawn((8, 4, 5, 3))[1:])


@pytest.mark.parametrize("share", NOISE_SHARES)
def test_videos_of_a_batch_do_not_mix(share):
    noise = shared((6, 4, 5, 3), share=share, frames_per_video=3)
    own, common = drawn((8, 4, 5, 3))[2:], drawn((8, 4, 5, 3))[:2]
    settings = SharedNoiseSettings(share)
    for video in (0, 1):
        alone = share_noise(own[3 * video : 3 * video + 3], common[video : video + 1], settings)
        assert torch.equal(noise[3 * video : 3 * video + 3], alone)
    assert not torch.equal(noise[:3], noise[3:])


@pytest.mark.parametrize("share", NOISE_SHARES)
def test_frames_of_video_latents_are_those_of_images(share):
    noise = shared((2, 4, 7, 5, 3), share=share)
    assert noise.shape == (2, 4, 7, 5, 3)
    rows = drawn((4, 4, 7, 5, 3))
    for video in (0, 1):
        own, common = rows[2 + video].transpose(0, 1), rows[video][None, :, 0]
        expected = share_noise(own, common, SharedNoiseSettings(share)).transpose(0, 1)
        assert torch.equal(noise[video], expected)


@pytest.mark.parametrize("share", ["same", "mixed"])
def test_parts_of_a_video_share_the_same_noise(share):
    whole = shared((7, 4, 5, 3), share=share)
    part = shared((3, 4, 5, 3), share=share, batch_index=[4, 5, 6])
    assert torch.equal(part, whole[4:])


def test_what_is_given_is_not_changed_and_its_kind_is_kept():
    latent = {"samples": torch.zeros(5, 4, 3, 2, dtype=torch.float16), "batch_index": [3, 4, 5, 6, 7]}
    noise = SharedNoise(Drawn(), SharedNoiseSettings("mixed")).generate_noise(latent)
    assert noise.dtype == torch.float16 and noise.shape == (5, 4, 3, 2)
    assert latent["batch_index"] == [3, 4, 5, 6, 7] and latent["samples"].shape == (5, 4, 3, 2)
    assert SharedNoise(Drawn(), SharedNoiseSettings()).seed == 5


def test_errors_name_what_is_wrong():
    with pytest.raises(ValueError, match="share='pink' must be one of same, mixed, progressive"):
        SharedNoiseSettings("pink")
    for amount in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=f"amount={amount} must be at least 0"):
            SharedNoiseSettings(amount=amount)
    with pytest.raises(ValueError, match="frames_per_video=-1 must be at least 0"):
        SharedNoiseSettings(frames_per_video=-1)
    with pytest.raises(ValueError, match="7 images is not a whole number of videos of 3 frames"):
        shared((7, 4, 5, 3), frames_per_video=3)
    with pytest.raises(ValueError, match="needs video latents of 4 or 5 dimensions"):
        shared((7, 4, 5))
    with pytest.raises(ValueError, match="the noise of 99 latents need .* take fewer or smaller frames"):
        SharedNoise(Drawn(), SharedNoiseSettings()).generate_noise(
            {"samples": torch.zeros(1, 1, 1, 1).expand(99, 4, 2**20, 2**20)}
        )
