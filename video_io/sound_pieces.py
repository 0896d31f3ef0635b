"""Decodes the sound track of a file piece by piece, around what is damaged.

Times are in seconds. Letters: C channels, N samples.

Decoders need what stands before a place: MP3 keeps bits in the frames before, Opus wants 80 ms to settle, AAC
and Vorbis overlap neighbouring blocks. So a span is decoded from some time before it on.
Source: RFC 7845, section 4.6 (Opus, pre-roll); ISO/IEC 11172-3, 2.4.2.7 (MP3, main_data_begin).
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import av
import numpy as np

from ..memory import check_memory
from .joined_parts import PartShifts, part_shifts
from .probe import Source, open_video

PREROLL = 1.0
"""Seconds that are decoded before a span."""
NEEDED = 0.2
"""Seconds before a span that no decoder can do without."""
PACKETS_BEYOND = 16
"""So many packets in a row that begin behind the span end the reading: one alone may have a damaged time."""
GAP = 0.1
"""Seconds without packets behind which a decoder begins anew."""
MOST_PLANES = 8
"""From so many channels in planes of their own on, PyAV 18 reads behind the end of its list of planes."""
LESSER = (
    av.stream.Disposition.comment
    | av.stream.Disposition.visual_impaired
    | av.stream.Disposition.hearing_impaired
)
"""Tracks that a player takes only when asked:
a commentary, a description for the blind, a mix for the hard of hearing.
"""

Failure = tuple[float | None, av.error.FFmpegError]
"""When a packet should be heard that cannot be decoded, and what the decoder says."""


@dataclass(frozen=True)
class Span:
    """What is wanted. retimed: the file's own stamps are of no use; times count from the first frame."""

    start: float
    end: float
    retimed: bool = False


@dataclass(frozen=True)
class Piece:
    """What one frame of the decoder holds."""

    time: float | None  # when it begins, by the file's own stamps; None = the file does not say
    samples: np.ndarray  # (C, N) float32
    rate: int  # samples per second
    layout: str  # of the channels, as FFmpeg names it

    @property
    def seconds(self) -> float:
        return self.samples.shape[1] / self.rate


@dataclass(frozen=True)
class Track:
    """The pieces of one sound track around a span, and what the file says of the track beforehand."""

    pieces: list[Piece]
    begin: float  # when the first piece begins if it has no time
    rate: int
    layout: str
    damaged: int  # packets that could not be decoded

    @property
    def is_known(self) -> bool:
        return bool(self.pieces) or (self.rate > 0 and not self.damaged)


def read_track(
    source: Source, span: Span, stop: Callable[[], None], free_memory: Callable[[], int] | None = None
) -> Track | None:
    """The track that a player takes, from some time before the span to some behind it.

    None where nothing can be decoded. Raises ValueError where the sound needs more bytes than are free."""
    with open_video(source) as container:
        ranked = ranked_tracks(container)
        for index in ranked[:1]:
            _check_memory(container.streams[index].codec_context, span, free_memory)
    for index in ranked:
        shifts = part_shifts(source, index, stop) or [0.0] if span.retimed else [0.0]
        # Where a seek lands is up to the container: the next one goes further back, at last to the beginning.
        for back in [None] if span.retimed else [PREROLL, 10 * PREROLL, None]:
            track = _read_from(source, index, span, back, shifts, stop)
            if track is not None:
                break
        if track.is_known:
            return track
    return None


def ranked_tracks(container: av.container.InputContainer) -> list[int]:
    """Numbers of the sound tracks that have a decoder, in the order in which a player would take them."""
    tracks = [stream for stream in container.streams.audio if stream.codec_context is not None]
    default = av.stream.Disposition.default
    tracks.sort(key=lambda s: (bool(s.disposition & LESSER), not s.disposition & default, s.index))
    return [s.index for s in tracks]


def _check_memory(context: av.AudioCodecContext, span: Span, free_memory: Callable[[], int] | None) -> None:
    """Pieces and result are there at once, and of retimed files the pieces from the beginning on."""
    seconds = span.end - span.start + (span.end if span.retimed else span.end - span.start)
    needed = math.ceil(
        seconds * (context.sample_rate or 0) * context.channels * np.dtype(np.float32).itemsize
    )
    check_memory(needed, f"{span.end - span.start:.0f} seconds of sound", "take a shorter span", free_memory)


def _read_from(
    source: Source, index: int, span: Span, back: float | None, shifts: list[float], stop: Callable[[], None]
) -> Track | None:
    """The track, read from `back` seconds before the span (None = from the file's beginning).

    shifts: of each part, see part_shifts. None when that was not early enough."""
    pieces: list[Piece] = []
    failures: list[Failure] = []
    with open_video(source) as container:
        stream = container.streams[index]
        first = (container.start_time or 0) / av.time_base
        sought = back is not None and span.start - back > first and _seek(container, span.start - back)
        for piece in _decode(container, stream, span, shifts, failures, stop):
            if sought and not pieces and (piece.time is None or piece.time > span.start - NEEDED):
                return None
            pieces.append(piece)
        if sought and not pieces:
            return None
        context = stream.codec_context
        layout = context.layout.name if context.channels else "mono"
        _tell_failures(failures, span.start)
        begin = float((stream.start_time or 0) * stream.time_base) + shifts[0]
        return Track(pieces, begin, context.sample_rate or 0, layout, len(failures))


def _seek(container, seconds: float) -> bool:
    try:
        container.seek(int(seconds * av.time_base), backward=True)
    except av.error.FFmpegError:
        return False  # a file without an index, for example: it is read from its beginning
    return True


def _decode(
    container, stream, span: Span, shifts: list[float], failures: list[Failure], stop
) -> Iterator[Piece]:
    """The pieces from PREROLL before the span to its end; what cannot be decoded is put into `failures`."""
    beyond, seconds, expected = 0, 0.0, None
    to_array, shift_of = FrameReader(), PartShifts(shifts)
    for packet in _packets(container, failures):
        stop()
        if packet.stream.index != stream.index:
            continue
        stamp = packet.pts if packet.pts is not None else packet.dts
        time = None if stamp is None else float(stamp * packet.time_base)
        if not span.retimed and packet.size and time is not None:
            if time < span.start - PREROLL:
                continue
            beyond = beyond + 1 if time >= span.end else 0
        if beyond > PACKETS_BEYOND or (span.retimed and seconds > span.end + PREROLL):
            break
        shift = shift_of(packet)
        if None not in (time, expected) and time - expected > GAP:
            yield from _emptied(stream, to_array, failures)
            stream.codec_context.flush_buffers()  # else the end of what was before sounds into what comes now
        expected = time
        for piece in _decoded(packet.decode, time, to_array, failures):
            seconds += piece.seconds
            expected = None if expected is None else expected + piece.seconds
            yield replace(piece, time=None if piece.time is None else piece.time + shift)
    yield from _emptied(stream, to_array, failures)


def _emptied(stream, to_array: FrameReader, failures: list[Failure]) -> Iterator[Piece]:
    """What the decoder still holds."""
    yield from _decoded(lambda: stream.codec_context.decode(None), None, to_array, failures)


def _packets(container, failures: list[Failure]) -> Iterator[av.Packet]:
    """All packets, so that a run can be cancelled between those of other tracks too."""
    try:
        yield from container.demux()
    except av.error.FFmpegError as error:
        failures.append((None, error))


def _decoded(
    decode: Callable[[], list[av.AudioFrame]], time: float | None, to_array: FrameReader, failures: list
) -> Iterator[Piece]:
    """What a packet of that time holds; nothing where it is damaged."""
    try:
        frames = decode()
    except av.error.EOFError:  # the decoder was emptied before
        return
    except av.error.FFmpegError as error:
        failures.append((time, error))
        return
    for frame in frames:
        if frame.samples:
            time = time if frame.pts is None else frame.time
            yield Piece(time, to_array(frame), frame.sample_rate, frame.layout.name)
            time = None


class FrameReader:
    """Makes decoded frames float32 (C, N): integers by their range, what is not a number as silence."""

    def __init__(self) -> None:
        self._packers: dict[tuple[str, str, int], av.AudioResampler] = {}

    def __call__(self, frame: av.AudioFrame) -> np.ndarray:
        frame = self._packed(frame)
        samples = frame.to_ndarray()
        if not frame.format.is_planar:
            samples = samples.reshape(-1, frame.layout.nb_channels).T
        if samples.dtype.kind == "u":
            samples = (samples.astype(np.float32) - 128) / 128
        elif samples.dtype.kind == "i":
            samples = samples.astype(np.float32) / 2.0 ** (8 * samples.dtype.itemsize - 1)
        with np.errstate(over="ignore"):  # a double beyond what float32 holds becomes infinite
            samples = samples.astype(np.float32)
        return np.nan_to_num(samples, nan=0.0, posinf=1.0, neginf=-1.0)

    def _packed(self, frame: av.AudioFrame) -> av.AudioFrame:
        if not frame.format.is_planar or frame.layout.nb_channels < MOST_PLANES:
            return frame
        key = (frame.format.name, frame.layout.name, frame.sample_rate)
        packer = self._packers.setdefault(key, av.AudioResampler(format=frame.format.packed))
        return packer.resample(frame)[0]


def _tell_failures(failures: list[Failure], start: float) -> None:
    """In the log. What fails before the span is what the seek cut off."""
    told = [(time, error) for time, error in failures if time is None or time >= start]
    if told:
        time, error = told[0]
        where = "" if time is None else f", the first at {time:.2f} s"
        text = "Damaged pieces of the sound, now silent: %d%s (%s)."
        logging.warning(text, len(told), where, error.strerror)
