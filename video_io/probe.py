"""Opens video files and says what they hold before anything is decoded."""

from __future__ import annotations

import functools
import itertools
import os
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import BinaryIO

import av
import numpy as np

from ..foreign_text import printable
from .decoded_frames import DecodedFrames, decoder_with_alpha
from .even_times import MILLISECOND
from .frame_plan import FrameRequest, plan_span
from .frame_size import Size
from .regular_files import check_regular

Source = str | os.PathLike | BinaryIO

# They read other files or addresses than the one that was chosen.
PLAYLISTS = {
    "concat",
    "dash",
    "hls",
    "image2",
    "image2pipe",
    "imf",
    "lavfi",
    "rtp",
    "rtsp",
    "sap",
    "sdp",
    "webm_dash_manifest",
}
PTS, DTS, DURATION, IS_KEY = range(4)
UNKNOWN = -(2**63)
"""In place of a stamp that a packet does not have; FFmpeg's own value for it."""
COVERS = av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails


@dataclass(frozen=True)
class KeyFrame:
    """A frame at which decoding can begin, by its stamps of showing and of decoding in ticks."""

    pts: int
    dts: int


@dataclass(frozen=True)
class VideoProbe:
    """What a file says about its video before anything is decoded."""

    size: Size  # as stored
    aspect: float  # width of a pixel divided by its height
    fps: float  # where it varies: frames divided by seconds
    times: tuple[float, ...]  # when each frame is shown, in seconds, ascending, as rounded by the file
    end: float  # until when the last one is shown
    bit_depth: int
    has_alpha: bool
    has_audio: bool
    codec: str
    lost: int = 0  # frames that the file's header names and that are not in the file, which is cut off
    # the frames' own times tell them not apart: the n-th that is decoded from the start is the n-th
    counted: bool = False
    retimed: bool = (
        False  # the file's own times are of no use: these are counted at fps from the first frame on
    )
    tick: Fraction = MILLISECOND  # seconds that `times` are whole numbers of
    keys: tuple[KeyFrame, ...] = ()  # in the order of showing

    @property
    def num_frames(self) -> int:
        return len(self.times)


@functools.cache
def _open_options() -> dict[str, str]:
    formats = {name for names in av.formats_available for name in names.split(",")}
    return {"format_whitelist": ",".join(sorted(formats - PLAYLISTS)), "protocol_whitelist": "file"}


def open_video(source: Source, **options: str) -> av.container.InputContainer:
    """A file opened for reading, with options for its demuxer; what is not UTF-8 in its tags is replaced.

    Raises ValueError when it is not there or cannot be read."""
    if hasattr(source, "seek"):
        source.seek(0)
    name = "the video" if hasattr(source, "read") else f"'{printable(os.path.basename(os.fspath(source)))}'"
    if not hasattr(source, "read"):
        check_regular(source)
    try:
        return av.open(source, mode="r", options=_open_options() | options, metadata_errors="replace")
    except FileNotFoundError as error:
        raise ValueError(f"{name} was not found; choose another file.") from error
    except IsADirectoryError as error:
        raise ValueError(f"{name} is a folder; choose a file in it.") from error
    except PermissionError as error:
        raise ValueError(
            f"{name} may not be read by ComfyUI; change the file's permissions or choose another."
        ) from error
    except av.error.FFmpegError as error:
        raise ValueError(
            f"{name} cannot be read as a video ({printable(error.strerror)}); the file is damaged or cut "
            "off, is something else, or is a list of other files, which is not followed: choose another file."
        ) from error


def video_stream(container: av.container.InputContainer) -> av.VideoStream:
    """The pictures that a player shows: the default stream, else the first;
    never a cover. Raises ValueError where there are none.
    """
    streams = [s for s in container.streams.video if not s.disposition & COVERS]
    if not streams:
        held = ", ".join(sorted({s.type for s in container.streams if s.type != "video"})) or "nothing"
        raise ValueError(
            f"the file has no pictures, only {held}{' and a cover' if container.streams.video else ''};"
            " choose a video."
        )
    stream = next((s for s in streams if s.disposition & av.stream.Disposition.default), streams[0])
    if (
        stream.frames == 1 and stream.duration is None
    ):  # the still picture that an animated AVIF has for programs without movement
        stream = max(streams, key=lambda other: other.frames)
    if stream.codec_context is None:
        raise ValueError("the video is in a format that is not known here; convert it to H.264, for example.")
    return stream


def probe_video(source: Source, stop: Callable[[], None] = int) -> VideoProbe:
    """What a video file holds; `stop` may raise between packets. Raises ValueError when it is no video,
    damaged or has only sound.
    """
    with open_video(source) as container:
        stream = video_stream(container)
        base = stream.time_base or MILLISECOND
        packets, headless, lost = _packets(container, stream, stop)
        stamps = np.sort(packets[packets[:, PTS] != UNKNOWN, PTS])
        if not len(packets) or stream.codec_context.format is None or not stream.width:
            hint = (
                "an animated WebP goes into Load Frames"
                if stream.codec_context.name == "webp"
                else "the file is damaged or empty"
            )
            raise ValueError(f"the video has no frames that can be decoded; {hint}.")
        if len(stamps) < len(packets) or not np.diff(stamps).all():
            return probe_by_decoding(source, stop)
        counted = _stamps_are_of_decoding(stream, packets)
        if counted and headless:
            return probe_by_decoding(source, stop)
        end = _end(container, stream, packets)
        times = [float(int(stamp) * base) for stamp in stamps]
        probe = _probe(container, stream, times, None if end is None else float(end * base), counted)
    rows = packets[packets[:, IS_KEY] == 1].tolist()
    keys = sorted((pts, pts if dts == UNKNOWN else dts) for pts, dts, *_ in rows)
    return replace(probe, keys=tuple(KeyFrame(*key) for key in keys), lost=_lost(source, stop) if lost else 0)


def probe_by_decoding(source: Source, stop: Callable[[], None] = int) -> VideoProbe:
    """What a video file holds, its frames counted by decoding them all:
    for files whose packets do not tell.
    """
    with open_video(source) as container:
        stream = video_stream(container)
        stamps = [frame.time for frame in DecodedFrames(container, stream, stop)]
        if not stamps:
            raise ValueError("the video has no frames that can be decoded; the file is damaged or empty.")
        retimed = None in stamps or not all(a < b for a, b in itertools.pairwise(stamps))
        if retimed:
            rate = stream.guessed_rate or stream.average_rate or 1
            stamps = [float(index / rate) for index in range(len(stamps))]
        return replace(_probe(container, stream, stamps, None, counted=True), retimed=retimed)


def _packets(container, stream, stop) -> tuple[np.ndarray, bool, int]:
    """The packets that are shown, a row each (PTS, DTS, DURATION, IS_KEY), so that hours of them are small;
    whether some were left out at the start as what they build on is not there; how many are cut off.
    """
    told, hidden = array("q"), 0
    try:
        for packet in container.demux(stream):
            stop()
            if packet.is_discard:
                hidden += 1
            elif packet.size:
                stamps = (UNKNOWN if stamp is None else stamp for stamp in (packet.pts, packet.dts))
                told.extend((*stamps, packet.duration or 0, packet.is_keyframe))
    except av.error.FFmpegError as error:
        reason = printable(error.strerror)
        raise ValueError(
            f"the video cannot be read to its end ({reason}); copy or download the file again."
        ) from error
    found = np.array(told, np.int64).reshape(-1, 4)
    lost = max(0, stream.frames - hidden - len(found)) if container.format.name.startswith("mov") else 0
    keys = np.flatnonzero(found[:, IS_KEY])
    first = 0 if hidden or not len(keys) else keys[0]
    if first == 0:
        return found, False, lost
    begin, found = found[first, PTS], found[first:]
    shown = (begin == UNKNOWN) | (found[:, PTS] == UNKNOWN) | (found[:, PTS] >= begin)
    return found[shown], True, lost


def _stamps_are_of_decoding(stream, packets: np.ndarray) -> bool:
    """Whether stamps run with the packets although the frames are reordered, as in AVI."""
    told = packets[packets[:, DTS] != UNKNOWN]
    apart = np.unique(told[:, PTS] - told[:, DTS])
    return bool(stream.codec_context.has_b_frames) and len(packets) > 2 and len(apart) == 1


def _end(container, stream, packets: np.ndarray) -> int | None:
    """Until when the last frame is shown, in ticks of the stream; None where the file does not say.

    Live recordings have no durations, and demuxers make up one of a tick. Edit lists cut the last one."""
    shown = packets[packets[:, PTS].argsort()]
    steps, durations = np.diff(shown[:, PTS]), shown[:, DURATION]
    begin, duration = shown[-1, [PTS, DURATION]].tolist()
    usual = float(np.median(durations[:-1] / steps)) if len(steps) else 1.0
    if not 0.5 < usual < 1.5 or duration * 2 <= (steps.min() if len(steps) else 1):
        return None
    end = begin + duration
    if container.format.name.startswith("mov") and stream.duration is not None:
        cut = (stream.start_time or 0) + stream.duration
        end = cut if begin < cut < end else end
    return end


def _lost(source: Source, stop: Callable[[], None]) -> int:
    """How many frames that the header of an MP4 names are not there, with those that its edit lists hide."""
    with open_video(source, ignore_editlist="1") as container:
        stream = video_stream(container)
        there = 0
        for packet in container.demux(stream):
            stop()
            there += packet.dts is not None  # only the last one, which ends the stream, has none
        return max(0, stream.frames - there)


def _probe(container, stream, times: Sequence[float], end: float | None, counted: bool) -> VideoProbe:
    tick = stream.time_base or MILLISECOND
    rates = (stream.average_rate, stream.guessed_rate, stream.base_rate)
    whole = plan_span(times, FrameRequest(), end, tick, rates)
    format_ = stream.codec_context.format
    has_alpha = (
        any(c.is_alpha for c in format_.components)
        or format_.name == "pal8"
        or decoder_with_alpha(stream) is not None
    )
    return VideoProbe(
        Size(stream.width, stream.height), float(stream.sample_aspect_ratio or 1), whole.fps, tuple(times),
        whole.end, max(c.bits for c in format_.components), has_alpha, bool(container.streams.audio),
        stream.codec_context.name, counted=counted, tick=tick,
    )  # fmt: skip
