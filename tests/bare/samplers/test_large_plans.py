"""Tables of windows and noise that do not fit into memory are refused before they are made."""

import pytest
import torch
from zoetrope.samplers.context_schedules import CONTEXT_SCHEDULES, create_context_windows
from zoetrope.samplers.noise import ReferenceNoise, arrange_noise

LARGE = torch.zeros(1, 1, 1, 1).expand(500_000, 4, 4096, 4096)  # a view of one number


def test_windows_that_share_nearly_all_frames_are_counted_first():
    """10 000 000 frames in windows of 4096 that move by one frame:
    4096 * (10 000 000 + 2) numbers of 84 bytes.
    """
    with pytest.raises(
        ValueError, match="10000002 context windows of 4096 frames need 3204.35 GiB .*lower context_overlap"
    ):
        create_context_windows("standard_uniform", 10_000_000, 4096, 4095)


@pytest.mark.parametrize("schedule", CONTEXT_SCHEDULES)
def test_the_count_is_no_less_than_what_is_made(schedule, monkeypatch):
    from zoetrope.samplers import context_schedules

    asked = []
    monkeypatch.setattr(context_schedules, "FEW_NUMBERS", 0)
    monkeypatch.setattr(context_schedules, "check_memory", lambda needed, what, remedy: asked.append(needed))
    for frames, length, overlap, stride in ((53, 16, 4, 3), (97, 7, 6, 1), (101, 2, 1, 7), (31, 1, 0, 1)):
        if schedule.endswith("(AnimateDiff-Evolved)"):
            stride = 1  # most others are refused
        windows = create_context_windows(schedule, frames, length, overlap, stride, True, 5)
        assert asked.pop() >= 84 * sum(map(len, windows))


def test_noise():
    with pytest.raises(ValueError, match="the noise of 500000 frames need 125000.00 GiB"):
        arrange_noise(LARGE, "freenoise", 0, 16, 4, 0)
    with pytest.raises(ValueError, match="the noise of 500000 frames need 250000.00 GiB"):
        ReferenceNoise(7).generate_noise({"samples": LARGE})
    far = {"samples": torch.zeros(1, 4, 8, 8), "batch_index": [10**9]}
    with pytest.raises(ValueError, match="the noise of 1000000001 frames need 953.67 GiB"):
        ReferenceNoise(7).generate_noise(far)
