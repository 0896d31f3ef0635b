"""LATENT into content and motion and back: what is kept, where each image stands, what is refused."""

import pytest
import torch
from zoetrope.host.media.motion_latents import (
    KEY,
    CombineSettings,
    SplitSettings,
    combine_streams,
    split_streams,
)

V, F, C, H, W = 2, 5, 4, 3, 7


def frames(count=F, **more):
    samples = torch.randn(count, C, H, W, generator=torch.Generator().manual_seed(1))
    return {"samples": samples, "other": "kept", **more}


def split(latent, **settings):
    return split_streams(latent, SplitSettings(**settings))


def combine(latent, from_=None, **settings):
    return combine_streams(latent, CombineSettings(**settings), from_)


def test_content_comes_first_then_the_motion_of_each_video():
    latent = frames(V * F)
    got = split(latent, frames_per_video=F)
    assert got["other"] == "kept" and got["samples"].shape == (2 * V * F, C, H, W)
    parts, videos = got["samples"].split(F), latent["samples"].split(F)
    for video, content, motion, gain in zip(videos, parts[0::2], parts[1::2], got[KEY].gains, strict=True):
        assert torch.equal(content, video)
        torch.testing.assert_close(motion[:-1], (video[1:] - video[:-1]) * gain)
        assert not motion[-1].any()
        level = motion[:-1].square().mean().sqrt()
        torch.testing.assert_close(level, video.square().mean().sqrt())
    assert not torch.isclose(*map(torch.tensor, got[KEY].gains), rtol=1e-3)


@pytest.mark.parametrize("samples", [torch.zeros(F, C, H, W), torch.ones(F, C, H, W), torch.ones(1, C, H, W)])
def test_where_nothing_moves_motion_is_nothing(samples):
    got = split({"samples": samples})
    assert torch.equal(got["samples"], torch.cat((samples, torch.zeros_like(samples))))
    assert got[KEY].gains == (1.0,)


def test_the_size_of_the_motion_can_be_set():
    latent = frames()
    got = split(latent, motion_size=0.25)
    samples = latent["samples"]
    torch.testing.assert_close(got["samples"][F:-1], 4 * (samples[1:] - samples[:-1]))


@pytest.mark.parametrize("combiner", ["frame by frame", "least squares"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_back_again(combiner, dtype):
    latent = frames(V * F)
    latent["samples"] = latent["samples"].to(dtype)
    streams = split(latent, frames_per_video=F)
    got = combine(streams, motion_weight=0.6, combiner=combiner)
    assert got["samples"].dtype == dtype and KEY not in got and got["other"] == "kept"
    rounded = 2 * F * torch.finfo(dtype).eps * float(latent["samples"].abs().max())
    torch.testing.assert_close(got["samples"], latent["samples"], atol=rounded, rtol=0)
    assert torch.equal(combine(streams, motion_weight=0.0)["samples"], latent["samples"])


def test_another_motion_moves_the_frames_by_its_share():
    streams = split(frames(), motion_size=0.5)
    samples = streams["samples"].clone()
    samples[F] += 6.0  # a step of 3 more from frame 0 to frame 1
    got = combine({**streams, "samples": samples}, motion_weight=0.5)["samples"]
    more = torch.tensor([0.0, 1.5, 0.75, 0.375, 0.1875])[:, None, None, None]
    torch.testing.assert_close(got, streams["samples"][:F] + more)


def test_motion_may_change_where_one_of_its_frames_may():
    mask = torch.zeros(F, H, W)
    mask[2, 1, 4] = 1
    got = split(frames(noise_mask=mask))["noise_mask"]
    assert got.shape == (2 * F, 1, H, W)
    assert got.nonzero()[:, 0].tolist() == [2, F + 1, F + 2]
    back = combine(split(frames(noise_mask=mask)))["noise_mask"]
    assert torch.equal(back[:, 0], mask)


def test_one_mask_is_that_of_all_images():
    mask = torch.zeros(1, H, W)
    assert torch.equal(split(frames(noise_mask=mask))["noise_mask"], mask)


def test_motion_has_noise_of_its_own_and_content_keeps_its():
    streams = split(frames(batch_index=[3, 4, 5, 6, 7]))
    assert streams["batch_index"] == [3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
    assert combine(streams)["batch_index"] == [3, 4, 5, 6, 7]


def test_what_a_node_has_lost_may_come_from_the_split():
    streams = split(frames())
    lost = {"samples": streams["samples"]}
    with pytest.raises(ValueError, match="does not know how its motion was scaled: .* into split"):
        combine(lost)
    assert torch.equal(combine(lost, streams)["samples"], combine(streams)["samples"])


@pytest.mark.parametrize(("latent", "settings", "words"), [
    (frames(4), {"frames_per_video": 3}, "4 frames are not a whole number of videos of frames_per_video=3"),
    ({"samples": torch.zeros(1, C, F, H, W)}, {}, "needs the latents of images .* Empty Latent Image"),
    ({"samples": torch.full((F, C, H, W), torch.nan)}, {}, "not finite"),
    (frames(), {"frames_per_video": -1}, "frames_per_video=-1 must be 0"),
    (frames(), {"motion_size": float("nan")}, "motion_size=nan must be a finite number"),
])  # fmt: skip
def test_what_cannot_be_split_is_refused(latent, settings, words):
    with pytest.raises(ValueError, match=words):
        split(latent, **settings)


def test_two_splits_are_refused():
    with pytest.raises(ValueError, match="split already; remove one"):
        split(split(frames()))


@pytest.mark.parametrize(("count", "settings", "words"), [
    (2 * F - 2, {}, "hold 8 images and were split into 10, .* motion of 5 frames; combine them before"),
    (2 * F, {"motion_weight": 1.5}, "motion_weight=1.5 must be between 0 and 1"),
    (2 * F, {"combiner": "sum"}, "combiner='sum' is not known; choose one of frame by frame, least squares"),
    (2 * F, {"motion_weight": 1.0, "combiner": "least squares"}, "motion_weight=1 leaves open"),
])  # fmt: skip
def test_what_cannot_be_combined_is_refused(count, settings, words):
    streams = split(frames())
    with pytest.raises(ValueError, match=words):
        combine({**streams, "samples": streams["samples"][:count]}, **settings)


def test_what_does_not_fit_into_memory_is_refused():
    with pytest.raises(ValueError, match="content and motion of 1000000000 images need .* take fewer"):
        split({"samples": torch.zeros(1, C, 64, 64).expand(10**9, C, 64, 64)})
