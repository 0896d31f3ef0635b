"""Puts pieces of sound where their times say. Times are in seconds; C channels, N samples.

Stamps are rounded (Matroska and FLV to 1 ms) and jitter in recordings, so that pieces follow each other
without a seam as long as their stamps stay near. Stamps that stay away are a gap (silence), an overlap (the
later counts), or begin anew as in joined transport streams.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import av
import numpy as np

from .sound_pieces import Piece

ROUNDING = 0.001
"""Seconds to which containers round stamps, at most."""
LASTING = 0.2
"""Seconds for which stamps have to stay away from where they are expected to count as a jump."""
BEGIN_ANEW = 1.0
"""Seconds that stamps go back when they begin anew; fewer are an overlap."""


@dataclass(frozen=True)
class Placed:
    """A piece with its place: when it begins, and whether it follows the one before without a seam."""

    piece: Piece
    begin: float
    joined: bool

    @property
    def end(self) -> float:
        return self.begin + self.piece.seconds


def placed(pieces: Sequence[Piece], first: float) -> Iterator[Placed]:
    """The pieces with their places; those without a stamp follow the ones before, the first is at `first`.

    Example, pieces of 1 s stamped 0, 1, 3, 4 (one was lost): they begin at 0, 1, 3, 4.
    Stamped 0, 1, 1.9, 3: they begin at 0, 1, 2, 3."""
    shift, end = 0.0, None
    for number, piece in enumerate(pieces):
        if end is None:
            end = first if piece.time is None else piece.time
            yield Placed(piece, end, False)
        else:
            away = 0.0 if piece.time is None else piece.time + shift - end
            joined = abs(away) <= tolerance(piece) or not _lasts(pieces, number, end, shift)
            if not joined and away < -BEGIN_ANEW:
                shift -= away
                joined = True
            end += 0.0 if joined else _whole_pieces(away, piece.seconds)
            yield Placed(piece, end, joined)
        end += piece.seconds


def tolerance(piece: Piece) -> float:
    """How far a stamp may be away: less than a lost piece, more than the stamps' rounding."""
    return min(max(piece.seconds / 2, 2 * ROUNDING), 0.05)


def _whole_pieces(away: float, seconds: float) -> float:
    """A gap that is as long as so many lost pieces to the stamps' rounding is exactly so long."""
    exact = round(away / seconds) * seconds
    return exact if exact > 0 and abs(away - exact) <= ROUNDING else away


def _lasts(pieces: Sequence[Piece], number: int, end: float, shift: float) -> bool:
    """Whether the stamps from piece `number` on stay away from
    where the pieces would be behind each other from `end` on.
    """
    begin, last = end, end + LASTING
    for count, (before, piece) in enumerate(itertools.pairwise(pieces[number : number + 100])):
        begin += before.seconds
        if begin > last and count:
            break
        if piece.time is not None and abs(piece.time + shift - begin) <= tolerance(piece):
            return False
    return True


class Timeline:
    """Sound (C, N) that begins at `start`, silent where nothing is put; what is put later replaces."""

    def __init__(self, start: float, samples: int, rate: int, layout: str) -> None:
        self.start, self.rate, self.layout = start, rate, layout
        self.sound = np.zeros((av.AudioLayout(layout).nb_channels, samples), np.float32)

    def put(self, places: Sequence[Placed]) -> None:
        """Pieces in one rate and layout that follow each other without a seam."""
        index = round((places[0].begin - self.start) * self.rate)
        piece = places[0].piece
        if (piece.rate, piece.layout) == (self.rate, self.layout):
            for place in places:
                self._write(index, place.piece.samples)
                index += place.piece.samples.shape[1]
        else:
            samples = np.concatenate([place.piece.samples for place in places], axis=1)
            self._write(index, self._converted(samples, piece.rate, piece.layout))

    def _converted(self, samples: np.ndarray, rate: int, layout: str) -> np.ndarray:
        try:
            return convert(samples, rate, layout, self.rate, self.layout)
        except av.error.FFmpegError as error:
            text = "The sound changes from %s to %s, which cannot be mixed into it and became silence (%s)."
            logging.warning(text, self.layout, layout, error.strerror)
            return self.sound[:, :0]

    def _write(self, index: int, samples: np.ndarray) -> None:
        begin = max(index, 0)
        end = min(index + samples.shape[1], self.sound.shape[1])
        if begin < end:
            self.sound[:, begin:end] = samples[:, begin - index : end - index]


def runs(places: Sequence[Placed]) -> Iterator[list[Placed]]:
    """Places in groups that are of one rate and layout and without a seam."""
    run: list[Placed] = []
    for place in places:
        same = run and (run[-1].piece.rate, run[-1].piece.layout) == (place.piece.rate, place.piece.layout)
        if run and not (place.joined and same):
            yield run
            run = []
        run.append(place)
    if run:
        yield run


def packed(samples: np.ndarray) -> np.ndarray:
    """Sound (C, N) as (1, N * C), the channels of a moment beside each other:
    PyAV takes any number of them so.
    """
    return np.ascontiguousarray(samples.T).reshape(1, -1)


def convert(samples: np.ndarray, rate: int, layout: str, to_rate: int, to_layout: str) -> np.ndarray:
    """Sound (C, N) in another rate and layout, mixed as FFmpeg does,
    but so that nothing becomes louder than it may be.
    """
    resampler = av.AudioResampler(
        format="flt", layout=to_layout, rate=to_rate, options={"rematrix_maxval": "1"}
    )
    frame = av.AudioFrame.from_ndarray(packed(samples), format="flt", layout=layout)
    frame.sample_rate, frame.pts = rate, 0
    pieces = [piece.to_ndarray() for piece in [*resampler.resample(frame), *resampler.resample(None)]]
    flat = np.concatenate([np.zeros((1, 0), np.float32), *pieces], axis=1)  # a few samples make no piece
    return flat.reshape(-1, av.AudioLayout(to_layout).nb_channels).T
