"""The sound of a span of a video, as one tensor. Times are in seconds; C channels, N samples."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from .probe import Source
from .sound_pieces import Span, read_track
from .sound_timeline import Timeline, placed, runs


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
    if track is None:
        return None
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
