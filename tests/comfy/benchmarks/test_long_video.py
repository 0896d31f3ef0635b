"""bench long_video: how it measures."""

import json

import pytest
import torch
from zoetrope.benchmarks import long_video


def test_a_seam_is_the_change_into_the_first_new_frames():
    """Brightness 0 1 2 5 6 7 9: into frames 3 and 6 it changes by 3 and 2, else by 1."""
    frames = torch.tensor([0.0, 1, 2, 5, 6, 7, 9]).view(-1, 1, 1, 1).expand(-1, 3, 4, 5)
    assert long_video.seam(frames, [3, 6]) == pytest.approx(2.5)


def test_without_videos_nothing_is_measured(capsys):
    long_video.main(["--json", "--fifo", "0", "--clips", "0"])
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == dict.fromkeys(long_video.KEYS)
