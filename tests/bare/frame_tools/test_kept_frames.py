"""Frames that stay: where key frames go, and what a noise mask over frames is, in batches and videos."""

import pytest
import torch
from zoetrope.frame_tools.kept_frames import KeptFrames, denoise_frames, keep_frames

F, C, H, W = 5, 3, 2, 7


def numbered(*shape):
    return torch.arange(1.0, 1 + torch.Size(shape).numel()).view(shape)


def latent(videos=1, **more):
    return {"samples": -numbered(videos * F, C, H, W), **more}


def test_key_frames_are_in_their_places_and_stay():
    given, keys = latent(batch_index=[4, 3, 2, 1, 0]), numbered(2, C, H, W)
    made = keep_frames(given, keys, KeptFrames("0,-1"))
    assert torch.equal(made["samples"][[0, 4]], keys)
    assert torch.equal(made["samples"][1:4], given["samples"][1:4])
    assert made["noise_mask"].shape == (F, 1, H, W)
    assert (
        made["noise_mask"].amax((1, 2, 3)).tolist()
        == [0, 1, 1, 1, 0]
        == made["noise_mask"].amin((1, 2, 3)).tolist()
    )
    assert made["batch_index"] == given["batch_index"] and "noise_mask" not in given
    assert torch.equal(given["samples"], latent()["samples"])


def test_the_order_is_that_of_the_text():
    keys = numbered(3, C, H, W)
    made = keep_frames(latent(), keys, KeptFrames("-1,1:3"))
    assert torch.equal(made["samples"][[4, 1, 2]], keys)


@pytest.mark.parametrize("copies", [1, 2])
def test_several_videos_have_the_same_key_frames_or_their_own(copies):
    keys = numbered(2 * copies, C, H, W)
    made = keep_frames(latent(2), keys, KeptFrames("0,3", frames_per_video=F))
    assert torch.equal(made["samples"][[0, 3, 5, 8]], keys.repeat(2 // copies, 1, 1, 1))
    assert made["noise_mask"][:, 0, 0, 0].tolist() == [0, 1, 1, 0, 1] * 2


@pytest.mark.parametrize("shape", [(2, C, H, W), (4, C, H, W), (1, C, 2, H, W), (2, C, 2, H, W)])
def test_latents_with_a_time_axis(shape):
    given, keys = {"samples": -numbered(2, C, F, H, W)}, numbered(*shape)
    made = keep_frames(given, keys, KeptFrames("1,-1"))
    assert made["samples"].shape == (2, C, F, H, W)
    for video in range(2):
        for place, frame in enumerate((1, 4)):
            of_batch = keys[(2 * video + place) % len(keys)]
            own = of_batch if len(shape) == 4 else keys[video % len(keys), :, place]
            assert torch.equal(made["samples"][video, :, frame], own)
    mask = made["noise_mask"].expand(2, 1, F, H, W)
    assert mask[:, 0, :, 1, 1].tolist() == [[1, 0, 1, 1, 0]] * 2


def test_strength_for_each_key_frame_and_a_mask_that_is_there_already():
    there = torch.full((1, 4, 4), 0.5)
    made = keep_frames(latent(noise_mask=there), numbered(2, C, H, W), KeptFrames("0,-1", (0.25, 1.0)))
    assert made["noise_mask"][:, 0, 3, 2].tolist() == [0.75, 0.5, 0.5, 0.5, 0.0]


@pytest.mark.parametrize(
    "frames, keys, told",
    [
        ("0,5", (2, C, H, W), "there is no frame 5"),
        ("0,-5", (2, C, H, W), "names frame 0 of the 5 twice"),
        ("0,1", (3, C, H, W), r"names 2 of the 5 frames, key_frames holds 3"),
        ("0,1", (2, C, H, W + 1), r"key_frames has latents of shape \(3, 2, 8\), the video \(3, 2, 7\)"),
        ("0,1", (1, C, 2, H, W), r"key_frames holds 2 \(shape \(1, 3, 2, 2, 7\)\)"),
    ],
)
def test_key_frames_that_do_not_fit(frames, keys, told):
    with pytest.raises(ValueError, match=told):
        keep_frames(latent(), numbered(*keys), KeptFrames(frames))


def test_settings_out_of_range():
    for value in (float("nan"), -0.1, 1.1):
        with pytest.raises(ValueError, match=r"strength=.* must be 0\.\.1"):
            KeptFrames(strength=(value,))
    with pytest.raises(ValueError, match="strength holds 3 numbers, there are 2"):
        keep_frames(latent(), numbered(2, C, H, W), KeptFrames("0,1", (1.0, 1.0, 0.5)))
    with pytest.raises(ValueError, match="frames_per_video=-1"):
        KeptFrames(frames_per_video=-1)
    with pytest.raises(ValueError, match="names no frames"):
        KeptFrames(" , ")
    with pytest.raises(ValueError, match="frames_per_video=3 is for frames in the batch"):
        denoise_frames({"samples": numbered(2, C, F, H, W)}, torch.zeros(1, 1, 1), 3)


def test_denoise_over_frames_places_and_videos():
    values = torch.linspace(0, 1, F).view(F, 1, 1)
    mask = denoise_frames(latent(2), values, F)["noise_mask"]
    assert mask.shape == (2 * F, 1, H, W) and mask[:, 0, 1, 3].tolist() == [0, 0.25, 0.5, 0.75, 1] * 2
    places = torch.zeros(1, 2 * H, 2 * W)
    places[:, :, W:] = 1.0
    mask = denoise_frames(latent(), places)["noise_mask"]
    assert mask.shape == (F, 1, H, W)
    assert torch.equal(mask[:, 0, :, :2], torch.zeros(F, H, 2)) and bool((mask[:, 0, :, -2:] == 1).all())


def test_denoise_takes_from_a_mask_that_is_there():
    there = torch.tensor([1.0, 1.0, 0.5, 1.0, 0.0]).view(F, 1, 1).expand(F, 4, 4)
    mask = denoise_frames(latent(noise_mask=there), torch.full((1, 1, 1), 0.5))["noise_mask"]
    assert mask[:, 0, 2, 2].tolist() == [0.5, 0.5, 0.25, 0.5, 0.0]


def test_denoise_of_video_latents():
    values = torch.linspace(0, 1, F).view(F, 1, 1)
    mask = denoise_frames({"samples": numbered(2, C, F, H, W)}, values)["noise_mask"]
    assert mask.expand(2, 1, F, H, W)[1, 0, :, 0, 0].tolist() == [0, 0.25, 0.5, 0.75, 1]


def test_denoise_that_does_not_fit():
    with pytest.raises(ValueError, match="denoise has values from 0 to 1.5"):
        denoise_frames(latent(), torch.tensor([0.0, 1.5]).view(2, 1, 1))
    with pytest.raises(ValueError, match="denoise has values from nan"):
        denoise_frames(latent(), torch.full((1, 1, 1), float("nan")))
    with pytest.raises(ValueError, match="values for 4 frames, the video has 5"):
        denoise_frames(latent(), torch.zeros(4, 1, 1))
    with pytest.raises(ValueError, match="not a whole number of videos of 3"):
        denoise_frames(latent(), torch.zeros(1, 1, 1), 3)
