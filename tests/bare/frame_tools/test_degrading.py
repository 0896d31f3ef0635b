"""Degraded clips: what stays of them, and what does not."""

import math

import pytest
import torch
from zoetrope.frame_tools.degrading import DegradeSettings, degraded


def clip(frames=7, channels=3):
    return torch.rand(frames, 12, 20, channels, generator=torch.Generator().manual_seed(3))


def test_nothing_taken_away_is_the_clip():
    assert torch.equal(degraded(clip(), DegradeSettings(downscale=1)), clip())


def test_downscale_keeps_means_and_takes_details():
    """A frame of one colour stays; single pixels become their surroundings."""
    grey = torch.full((2, 12, 20, 3), 0.25)
    assert torch.allclose(degraded(grey, DegradeSettings(downscale=4)), grey, atol=1e-6)
    board = ((torch.arange(12)[:, None] + torch.arange(20)) % 2).float()[None, ..., None].expand(1, -1, -1, 3)
    coarse = degraded(board, DegradeSettings(downscale=4))
    assert coarse.shape == board.shape and (coarse - 0.5).abs().max() < 0.1
    one = degraded(clip(1), DegradeSettings(downscale=64))  # one pixel is left
    assert (one - one[:, :1, :1]).abs().max() < 1e-6


def test_frames_are_held():
    coarse = degraded(clip(), DegradeSettings(downscale=1, keep_every=3))
    assert torch.equal(coarse, clip()[[0, 0, 0, 3, 3, 3, 6]])


def test_noise_is_of_its_seed_differs_in_held_frames_and_leaves_opacity():
    grey = torch.full((40, 12, 20, 4), 0.5)
    settings = DegradeSettings(downscale=1, keep_every=2, noise=0.1, seed=8)
    coarse = degraded(grey, settings)
    assert (coarse[..., :3] - 0.5).std() == pytest.approx(0.1, rel=0.02)
    assert torch.equal(coarse[..., 3], grey[..., 3])
    assert not torch.equal(coarse[0], coarse[1])
    assert torch.equal(coarse, degraded(grey, settings))
    assert not torch.equal(coarse, degraded(grey, DegradeSettings(1, 2, 0.1, 9)))


@pytest.mark.parametrize(
    "settings", ({"downscale": 0.5}, {"downscale": math.nan}, {"keep_every": 0}, {"noise": 1.5})
)
def test_what_is_out_of_range_is_refused(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        DegradeSettings(**settings)


def test_a_clip_without_frames_is_refused():
    with pytest.raises(ValueError, match="no frames"):
        degraded(clip()[:0], DegradeSettings())
