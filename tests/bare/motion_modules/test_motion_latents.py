"""Motion out of frames and back, against numpy and by hand."""

import numpy as np
import pytest
import torch
from zoetrope.motion_modules.motion_latents import combined, combined_at_once, difference_sizes, motion_of

B, F, C, H, W = 2, 7, 3, 5, 2


def seeded(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture
def video():
    return seeded(1, B, F, C, H, W)


@pytest.fixture
def steps():
    return seeded(2, B, F, C, H, W)


def test_motion_is_the_way_to_the_next_frame_times_the_gain_of_its_video():
    video = torch.tensor([[1.0, 3.0, 2.0], [0.0, 5.0, 5.0]]).reshape(2, 3, 1, 1, 1)
    got = motion_of(video, torch.tensor([2.0, 10.0])).flatten(1)
    assert got.tolist() == [[4.0, -2.0, 0.0], [50.0, 0.0, 0.0]]


def test_sizes_are_those_of_numpy():
    video = seeded(3, B, F, C, H, W).numpy() * np.array([2.0, 30.0]).reshape(2, 1, 1, 1, 1)
    want = [np.sqrt(np.mean(np.diff(frames, axis=0) ** 2) / np.mean(frames**2)) for frames in video]
    np.testing.assert_allclose(difference_sizes(torch.from_numpy(video)), want, rtol=1e-5)


@pytest.mark.parametrize(
    "video", [torch.zeros(1, 3, 2, 1, 1), torch.ones(1, 3, 2, 1, 1), torch.ones(1, 1, 2, 1, 1)]
)
def test_still_frames_have_size_0(video):
    assert difference_sizes(video) == [0.0]


@pytest.mark.parametrize("broken", [torch.nan, torch.inf])
def test_numbers_that_are_not_finite_are_refused(video, broken):
    video[1, 2, 0, 1, 1] = broken
    with pytest.raises(ValueError, match="not finite"):
        difference_sizes(video)


@pytest.mark.parametrize("combine", [combined, combined_at_once])
def test_weight_0_is_the_content_bit_for_bit(video, steps, combine):
    steps[0, 1] = torch.nan
    assert torch.equal(combine(video, steps, 0.0), video)


@pytest.mark.parametrize("combine", [combined, combined_at_once])
@pytest.mark.parametrize("weight", [0.3, 0.9])
def test_the_motion_of_the_frames_themselves_gives_the_frames_back(video, combine, weight):
    gains = torch.tensor([3.0, 0.25], dtype=torch.float64)
    steps = motion_of(video, gains) / gains[:, None, None, None, None]
    torch.testing.assert_close(combine(video, steps, weight), video)


def test_frame_by_frame_is_the_equation(video, steps):
    want, weight = [video[:, 0]], 0.7
    for t in range(1, F):
        want.append(video[:, t] + weight * (want[t - 1] + steps[:, t - 1] - video[:, t]))
    torch.testing.assert_close(combined(video, steps, weight), torch.stack(want, 1))


def test_weight_1_goes_the_steps_from_the_first_frame(video, steps):
    want = video[:, :1] + torch.cat((torch.zeros_like(steps[:, :1]), steps[:, :-1].cumsum(1)), 1)
    torch.testing.assert_close(combined(video, steps, 1.0), want)


@pytest.mark.parametrize("frames", [1, 2, F])
@pytest.mark.parametrize("weight", [0.01, 0.5, 0.99])
def test_at_once_is_the_solution_of_the_normal_equations(video, steps, frames, weight):
    """As numpy solves them: D takes differences of neighbouring frames."""
    content, steps = video[:, :frames], steps[:, :frames]
    d = np.diff(np.eye(frames), axis=0)
    matrix = (1 - weight) * np.eye(frames) + weight * d.T @ d
    for one, its_steps, got in zip(content, steps, combined_at_once(content, steps, weight), strict=True):
        one, its_steps = (x.numpy().reshape(frames, -1) for x in (one, its_steps))
        want = np.linalg.solve(matrix, (1 - weight) * one + weight * d.T @ its_steps[:-1])
        np.testing.assert_allclose(got.numpy().reshape(frames, -1), want, rtol=1e-9, atol=1e-9)


def test_at_once_needs_some_content(video, steps):
    with pytest.raises(ValueError, match="motion_weight=1 leaves open .* lower it to at most 0.99"):
        combined_at_once(video, steps, 1.0)


@pytest.mark.parametrize("combine", [combined, combined_at_once])
def test_what_is_given_stays(video, steps, combine):
    before = video.clone(), steps.clone()
    combine(video, steps, 0.5)
    assert torch.equal(video, before[0]) and torch.equal(steps, before[1])
