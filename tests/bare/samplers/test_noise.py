"""Rules that every noise type keeps, and FreeNoise's construction."""

import pytest
import torch
from zoetrope.samplers.noise import NOISE_TYPES, arrange_noise

CASES = [(37, 8, 3), (32, 16, 4), (64, 16, 12), (17, 5, 0), (5, 7, 2), (7, 7, 6)]


def frame_numbers(num_frames):
    return torch.arange(num_frames, dtype=torch.float32).view(-1, 1, 1, 1).expand(-1, 3, 2, 5).clone()


def order_of(noise_type, num_frames, length, overlap, seed=3):
    return (
        arrange_noise(frame_numbers(num_frames), noise_type, 0, length, overlap, seed)[:, 0, 0, 0]
        .int()
        .tolist()
    )


@pytest.mark.parametrize("noise_type", NOISE_TYPES)
def test_frames_are_moved_whole_and_the_first_window_stays(noise_type):
    for num_frames, length, overlap in CASES:
        noise = torch.randn(num_frames, 3, 2, 5)
        before = noise.clone()
        result = arrange_noise(noise, noise_type, 0, length, overlap, 11)
        assert torch.equal(noise, before)
        assert result.shape == noise.shape
        if noise_type not in ("constant", "empty"):
            assert torch.equal(result[:length], noise[:length])
        known = {frame.numpy().tobytes() for frame in [*noise, torch.zeros(3, 2, 5)]}
        assert all(frame.contiguous().numpy().tobytes() in known for frame in result)


@pytest.mark.parametrize("noise_type", NOISE_TYPES)
def test_video_latents_are_arranged_like_image_latents(noise_type):
    noise = torch.randn(37, 3, 2, 5)
    folded = arrange_noise(noise, noise_type, 0, 8, 3, 11)
    video = torch.stack([noise, -noise]).transpose(1, 2)
    result = arrange_noise(video, noise_type, 2, 8, 3, 11)
    assert torch.equal(result, torch.stack([folded, -folded]).transpose(1, 2))


@pytest.mark.parametrize("noise_type", NOISE_TYPES)
def test_several_videos_in_a_batch_do_not_mix(noise_type):
    noise = torch.randn(2 * 23, 3, 2, 5)
    result = arrange_noise(noise, noise_type, 0, 8, 3, 11, num_videos=2)
    assert torch.equal(result[:23], arrange_noise(noise[:23], noise_type, 0, 8, 3, 11))
    assert torch.equal(result[23:], arrange_noise(noise[23:], noise_type, 0, 8, 3, 11))


def test_freenoise_repeats_the_piece_one_window_earlier():
    for num_frames, length, overlap in CASES:
        order = order_of("freenoise", num_frames, length, overlap)
        piece = length - overlap
        for place in range(length, num_frames, piece):
            end = min(place + piece, num_frames)
            assert sorted(order[place:end]) == sorted(order[place - length : end - length])
            window = order[end - length : end]
            assert len(set(window)) == len(window)


def test_freenoise_is_decided_by_the_seed():
    assert order_of("freenoise", 64, 16, 4, seed=1) == order_of("freenoise", 64, 16, 4, seed=1)
    assert order_of("freenoise", 64, 16, 4, seed=1) != order_of("freenoise", 64, 16, 4, seed=2)
    assert order_of("freenoise", 64, 16, 4, seed=2**64 - 1) != list(range(64))


def test_freenoise_does_not_touch_the_global_random_state():
    state = torch.get_rng_state()
    order_of("freenoise", 64, 16, 4)
    assert torch.equal(torch.get_rng_state(), state)


def test_repeated_constant_empty_and_default():
    assert order_of("constant", 7, 3, 1) == [0] * 7
    assert not arrange_noise(torch.randn(7, 3, 2, 5), "empty", 0, 3, 1, 5).any()
    assert order_of("repeated", 7, 3, 1) == [0, 1, 2, 0, 1, 2, 0]
    assert order_of("default", 7, 3, 1) == list(range(7))


def test_errors_name_what_is_wrong():
    noise = torch.zeros(6, 1, 1, 1)
    with pytest.raises(ValueError, match="'pink' must be one of default"):
        arrange_noise(noise, "pink", 0, 4, 1, 0)
    with pytest.raises(
        ValueError, match="context_overlap=4 must be at least 0 and smaller than context_length=4"
    ):
        arrange_noise(noise, "freenoise", 0, 4, 4, 0)
    with pytest.raises(ValueError, match="6 frames must be a whole number of num_videos=4"):
        arrange_noise(noise, "freenoise", 0, 4, 1, 0, num_videos=4)
