"""Source videos for stages: what they hold, and their frames as small arrays.

Letters: H height, W width.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from ..video_io.display_matrix import turn_of
from ..video_io.frame_size import Size
from ..video_io.probe import VideoProbe, probe_video
from ..video_io.rgb_conversion import RgbConverter


def probed(path: Path) -> VideoProbe:
    """What a video holds; of the videos that were asked for last it is known already. Raises ValueError."""
    state = os.stat(path)
    return _probed(str(path), state.st_size, state.st_mtime_ns)


@functools.lru_cache(maxsize=2)
def _probed(path: str, size: int, changed: int) -> VideoProbe:
    return probe_video(path)


def end_of(probe: VideoProbe, number: int) -> float:
    """Until when a frame is shown."""
    return probe.times[number + 1] if number + 1 < probe.num_frames else probe.end


class SmallFrames:
    """Turns decoded frames into arrays; keeps its tables, and is no thing for two threads."""

    def __init__(self) -> None:
        self._reformatter, self._converter = VideoReformatter(), RgbConverter()

    def stored(self, frame: av.VideoFrame, width: int, height: int, layout: str = "rgb24") -> np.ndarray:
        """A frame as stored, unturned, at a size: uint8, (H, W, 3) for rgb24, (H, W) for gray."""
        small = self._reformatter.reformat(
            frame, width=width, height=height, format=layout, interpolation="AREA", threads=1
        )
        return np.ascontiguousarray(small.to_ndarray())

    def shown(self, frame: av.VideoFrame, longest: int, aspect: float = 1.0) -> np.ndarray:
        """A frame as a viewer sees it, (H, W, 3) uint8, its longer side at most `longest`.

        aspect: width of a stored pixel divided by its height. Raises ValueError for unknown colours."""
        scale = min(1.0, longest / max(frame.width * aspect, frame.height))
        sides = (max(1, round(side * scale)) for side in (frame.width * aspect, frame.height))
        values, _ = self._converter.convert(frame, Size(*sides), False)
        picture = np.concatenate([part for part in values.parts], -1)
        if values.white != 255:
            picture = (picture.astype(np.float32) * (255 / values.white) + 0.5).clip(0, 255)
        return np.ascontiguousarray(turn_of(frame).apply(picture.astype(np.uint8)))


def shown_size(frame: av.VideoFrame, aspect: float) -> tuple[int, int]:
    """Width and height of a frame as a viewer sees it."""
    size = Size(max(1, round(frame.width * aspect)), frame.height)
    return tuple(size.turned if turn_of(frame).transposed else size)


def counted(frames: Iterator, numbers: list[int]) -> Iterator[av.VideoFrame]:
    """The frames of (number, frame), whose numbers are put into a list."""
    for number, frame in frames:
        numbers.append(number)
        yield frame
