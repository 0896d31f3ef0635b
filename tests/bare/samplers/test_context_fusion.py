"""Rules that every fuse method keeps, and the running weighted mean."""

import pytest
import torch
from zoetrope.samplers.context_fusion import FUSE_METHODS, FusionPlan, WindowFusion, fuse_weights
from zoetrope.samplers.context_schedules import CONTEXT_SCHEDULES, create_context_windows

EVOLVED = " (AnimateDiff-Evolved)"
EVEN = [method for method in FUSE_METHODS if "sawtooth" in method or "pyramid-sigma" in method]
CASES = [(23, 8, 3), (17, 5, 0), (13, 7, 6), (3, 2, 1), (5, 1, 0)]


def fuse(method, windows, results, full, axis, overlap):
    num_frames = full.shape[axis]
    weights = [fuse_weights(method, window, num_frames, overlap) for window in windows]
    fusion = WindowFusion(FusionPlan(windows, weights, num_frames), full, axis)
    for result in results:
        fusion.add(result)
    return fusion.result()


def cannot_weigh(method, window, overlap):
    """Windows for which a method of AnimateDiff-Evolved has no weights."""
    return (
        (method in EVEN and len(window) % 2)
        or (method == "relative" + EVOLVED and list(window) != sorted(window))
        or (method == "overlap-linear" + EVOLVED and overlap == 0)
    )


@pytest.mark.parametrize("schedule", CONTEXT_SCHEDULES)
@pytest.mark.parametrize("method", FUSE_METHODS)
def test_weights_are_positive_and_one_per_frame(method, schedule):
    stride = 1 if schedule.endswith(EVOLVED) else 2
    for num_frames, length, overlap in CASES:
        for step in range(4):
            for window in create_context_windows(schedule, num_frames, length, overlap, stride, True, step):
                if cannot_weigh(method, window, overlap):
                    with pytest.raises(ValueError, match="fuse_method='.* take "):
                        fuse_weights(method, window, num_frames, overlap)
                    continue
                weights = fuse_weights(method, window, num_frames, overlap, 4 - step)
                assert len(weights) == len(window)
                assert all(0 < weight < 100 for weight in weights)


@pytest.mark.parametrize(("shape", "axis"), [((23, 2, 3, 5), 0), ((2, 3, 23, 5, 7), 2)])
@pytest.mark.parametrize("schedule", CONTEXT_SCHEDULES)
@pytest.mark.parametrize("method", FUSE_METHODS)
def test_windows_of_one_video_give_that_video_back_bit_for_bit(method, schedule, shape, axis):
    video = torch.randn(shape)
    stride = 1 if schedule.endswith(EVOLVED) else 2
    for step in range(3):
        windows = create_context_windows(schedule, 23, 8, 3, stride, False, step)
        if any(cannot_weigh(method, window, 3) for window in windows):
            continue
        results = [video.index_select(axis, torch.tensor(window)) for window in windows]
        assert torch.equal(fuse(method, windows, results, video, axis, 3), video)


@pytest.mark.parametrize("method", [method for method in FUSE_METHODS if not method.endswith(EVOLVED)])
def test_overlap_0_and_single_windows_are_the_identity(method):
    video = torch.randn(17, 3, 2, 2)
    for windows in ([list(range(17))], create_context_windows("batched", 17, 5, 0)):
        results = [video[window] for window in windows]
        assert torch.equal(fuse(method, windows, results, video, 0, 0), video)


@pytest.mark.parametrize("method", FUSE_METHODS)
def test_the_result_is_the_weighted_mean(method):
    schedule = "standard_uniform" if method.endswith(EVOLVED) else "looped_uniform"
    windows = create_context_windows(schedule, 23, 8, 3, 2, True, 1)
    results = [torch.randn(len(window), 3, dtype=torch.float64) for window in windows]
    total, weight_sum = torch.zeros(23, 3, dtype=torch.float64), torch.zeros(23, 1, dtype=torch.float64)
    for window, result in zip(windows, results, strict=True):
        weights = torch.tensor(fuse_weights(method, window, 23, 3), dtype=torch.float64)[:, None]
        total[window] += result * weights
        weight_sum[window] += weights
    fused = fuse(method, windows, results, total, 0, 3)
    assert torch.allclose(fused, total / weight_sum, atol=1e-6, rtol=0)


def test_full_is_not_changed():
    full = torch.randn(5, 2)
    before = full.clone()
    fuse("flat", [[0, 1, 2, 3, 4]], [torch.ones(5, 2)], full, 0, 0)
    assert torch.equal(full, before)


def test_pyramid_and_relative_values():
    assert fuse_weights("pyramid", range(5), 9, 2) == [1, 2, 3, 2, 1]
    assert fuse_weights("pyramid", range(4), 9, 2) == [1, 2, 2, 1]
    assert fuse_weights("relative", range(2, 7), 9, 2) == [0.01, 0.5, 1, 0.5, 0.01]


def test_linear_overlap_fades_between_windows_and_not_at_the_ends_of_the_video():
    first = fuse_weights("overlap-linear", range(0, 8), 13, 3)
    second = fuse_weights("overlap-linear", range(5, 13), 13, 3)
    assert first == [1, 1, 1, 1, 1, 0.75, 0.5, 0.25]
    assert second == [0.25, 0.5, 0.75, 1, 1, 1, 1, 1]
    wrapped = fuse_weights("overlap-linear", [11, 12, 0, 1], 13, 1)
    assert wrapped == [0.5, 1, 1, 0.5]


def test_equal_windows_weigh_equally_whatever_their_order():
    weights = [[1.0, 3.0], [3.0, 1.0]]
    fusion = WindowFusion(FusionPlan([[0, 1], [1, 0]], weights, 2), torch.zeros(2), 0)
    fusion.add(torch.tensor([2.0, 5.0]))
    fusion.add(torch.tensor([11.0, 7.0]))
    # frame 0: 2 with weight 1 and 7 with weight 1; frame 1: 5 with weight 3 and 11 with weight 3
    assert fusion.result().tolist() == [4.5, 8.0]


def test_errors_name_what_is_wrong():
    with pytest.raises(ValueError, match="'sharp' must be one of pyramid"):
        fuse_weights("sharp", [0, 1], 2, 0)
    with pytest.raises(ValueError, match=r"frames \[2, 4\] are not"):
        FusionPlan([[0, 1], [3]], [[1.0, 1.0], [1.0]], 5)
    fusion = WindowFusion(FusionPlan([[0], [1]], [[1.0], [1.0]], 2), torch.zeros(2), 0)
    fusion.add(torch.ones(1))
    with pytest.raises(ValueError, match="all 2 windows must be added"):
        fusion.result()
