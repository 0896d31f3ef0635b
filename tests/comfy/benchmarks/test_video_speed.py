"""The parts of the video benchmark measure what they say, on a few frames."""

import sys

import pytest
from zoetrope.benchmarks import video, video_parts

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def test_reading_is_measured(tmp_path):
    clip = tmp_path / "clip.mp4"
    video.make_clip(clip, 4)
    assert 0 < video_parts.decode_seconds(str(clip)) < 300
    assert (
        -100 < video_parts.decode_memory(str(clip)) < 400
    )  # four frames are 95 MiB: twice of them would show


def test_writing_is_measured(tmp_path):
    raw = tmp_path / "frames.rgb"
    assert 0 < video_parts.encode_seconds(str(tmp_path), str(raw)) < 300
    assert raw.stat().st_size == 60 * 1280 * 720 * 3
    video_parts.stream_slope(
        str(tmp_path), "2"
    )  # a number only in a process of its own, where nothing else is freed
    assert sorted(path.name for path in tmp_path.iterdir()) == ["frames.rgb"]  # the videos are gone
