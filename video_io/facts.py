"""Opens video files and says what they hold before anything is decoded."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction
from typing import BinaryIO

import av

Source = str | os.PathLike | BinaryIO


@dataclass(frozen=True)
class VideoFacts:
    """What a file says about its video before anything is decoded."""

    width: int  # as stored
    height: int
    aspect: float  # width of a pixel divided by its height
    fps: float
    times: tuple[float, ...]  # when each frame is shown, in seconds, ascending
    end: float  # until when the last one is shown
    bit_depth: int
    has_alpha: bool
    has_audio: bool
    codec: str

    @property
    def num_frames(self) -> int:
        return len(self.times)


def open_video(source: Source) -> av.container.InputContainer:
    """A file opened for reading. Raises ValueError when it is not there or cannot be read."""
    if hasattr(source, "seek"):
        source.seek(0)
    name = "the video" if hasattr(source, "read") else f"'{os.path.basename(os.fspath(source))}'"
    try:
        return av.open(source, mode="r")
    except FileNotFoundError as error:
        raise ValueError(f"{name} was not found; choose another file.") from error
    except av.error.FFmpegError as error:
        raise ValueError(f"{name} cannot be read as a video ({error.strerror}); the file is damaged or something else.") from error


def read_facts(source: Source) -> VideoFacts:
    """What a video file holds. Raises ValueError when it is no video, damaged or has only sound."""
    with open_video(source) as container:
        if not container.streams.video:
            held = ", ".join(s.type for s in container.streams) or "nothing"
            raise ValueError(f"the file has no pictures, only {held}; choose a video.")
        stream = container.streams.video[0]
        base = stream.time_base or Fraction(1, 1000)
        stamps, ends = set(), 0
        for packet in container.demux(stream):
            if packet.size and packet.pts is not None and not packet.is_discard:
                stamps.add(packet.pts)
                ends = max(ends, packet.pts + (packet.duration or 0))
        format_ = stream.codec_context.format
        if not stamps or format_ is None:
            raise ValueError("the video has no frames that can be decoded; the file is damaged or empty.")
        times = [float(stamp * base) for stamp in sorted(stamps)]
        rate = stream.average_rate or stream.guessed_rate
        fps = float(rate) if rate else (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 else 1.0
        end = float(ends * base)
        return VideoFacts(
            stream.width, stream.height, float(stream.sample_aspect_ratio or 1), fps, tuple(times),
            end if end > times[-1] else times[-1] + 1 / fps, max(c.bits for c in format_.components),
            any(c.is_alpha for c in format_.components), bool(container.streams.audio), stream.codec_context.name,
        )  # fmt: skip
