"""The sound of a span of a video, as one tensor. Times are in seconds; C channels, N samples."""

from __future__ import annotations

import math
from collections.abc import Callable

import av
import torch

from .probe import Source, open_video
from .sound_pieces import Span, Track, ranked_tracks, read_track
from .sound_timeline import Timeline, placed, runs

BEYOND = 1.0
"""Seconds behind the end that a file tells of itself, which may be an estimate."""


def read_sound(
    source: Source,
    start: float,
    end: float,
    stop: Callable[[], None] = int,
    retimed: bool = False,
    free_memory: Callable[[], int] | None = None,
) -> dict | None:
    """What a player plays from start to end: {"waveform": (1, C, N) float32, "sample_rate": Hz}.

    None for a file without sound that can be decoded. Values are mostly in -1..1, as the file has them. Every
    piece stands at its own time; where there is none, or it is damaged, there is silence. Rate and layout are
    those of the first piece of the span; what differs later is converted. stop, which may raise, is called
    for every packet. retimed: as VideoProbe has it. free_memory: bytes that may be taken.

    Raises ValueError where the sound needs more memory than is free."""
    track = read_track(source, Span(start, end, retimed), stop, free_memory)
    return None if track is None else _between(track, start, end)


def read_sound_file(
    source: Source,
    start: float = 0.0,
    duration: float = 0.0,
    stop: Callable[[], None] = int,
    free_memory: Callable[[], int] | None = None,
) -> dict | None:
    """The sound of a file by itself, as `read_sound` gives it, from `start` seconds behind its beginning on.

    duration: 0 = to the end. It ends where the sound ends. None for a file without sound that can be decoded.
    Raises ValueError where nothing is left behind `start`, and where there is not the memory."""
    begin, end = _ends(source)
    start += begin
    last = start + duration if duration else end + BEYOND
    track = read_track(source, Span(start, last), stop, free_memory) if last > start else None
    if track is None and begin == end:
        return None
    places = [] if track is None else list(placed(track.pieces, track.begin))
    reached = max((place.end for place in places), default=begin)
    if reached <= start:
        raise ValueError(f"the sound is {max(end, reached) - begin:.2f} seconds long; start earlier.")
    return _between(track, start, min(last, reached))


def _ends(source: Source) -> tuple[float, float]:
    """When the track of a file begins and ends, as it says; by its packets where it does not say."""
    with open_video(source) as container:
        for index in ranked_tracks(container)[:1]:
            stream = container.streams[index]
            begin = float((stream.start_time or 0) * stream.time_base)
            if stream.duration:
                return begin, begin + float(stream.duration * stream.time_base)
            if container.duration:
                return begin, begin + container.duration / av.time_base
            stamps = [p.pts + (p.duration or 0) for p in container.demux(stream) if p.pts is not None]
            return begin, float(max(stamps, default=0) * stream.time_base) + BEYOND
    return 0.0, 0.0


def _between(track: Track, start: float, end: float) -> dict:
    places = [p for p in placed(track.pieces, track.begin) if p.begin < end and p.end > start]
    rate, layout = (places[0].piece.rate, places[0].piece.layout) if places else (track.rate, track.layout)
    timeline = Timeline(start, sample_count(end - start, rate), rate, layout)
    for run in runs(places):
        timeline.put(run)
    return {"waveform": torch.from_numpy(timeline.sound)[None], "sample_rate": rate}


def cut_sound(audio: dict, start: float, end: float) -> dict:
    """AUDIO {"waveform": (B, C, N), "sample_rate": Hz} from start to end, silent where it is shorter."""
    rate, waveform = audio["sample_rate"], audio["waveform"]
    wanted = sample_count(end - start, rate)
    cut = waveform[..., round(start * rate) :][..., :wanted]
    return {**audio, "waveform": torch.nn.functional.pad(cut, (0, wanted - cut.shape[-1]))}


def sample_count(seconds: float, rate: int) -> int:
    """How many samples fill so many seconds, at least 1."""
    return max(1, math.ceil(seconds * rate - 1e-6))
