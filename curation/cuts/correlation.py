"""Finds cuts, dissolves and fades without a network, from small pictures in one pass.

A hard cut is a frame that is unlike the one before at every shift (a pan, however fast, is like it at one)
and after which the old picture does not come back (a flash). A dissolve is a span whose frames are mixtures
of its two ends, and whose ends differ in colours too. A fade is a run of frames without a picture, with the
frames beside it that grow fainter towards it. Times are seconds, so that they hold at every frame rate.
Letters: F frames, H height, W width.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from .alignment import Aligner, Spectrum, overlap
from .cut import BLEND, FLAT, Cut, hard_cut, merged

SIZE = (64, 36)  # width, height
SPECTRA = 300  # that are kept, of 100 kB each
BLOCK, AROUND = 768, 5.0  # frames at a time; seconds of context on either side of them
CHANGED = 0.012  # mean change of brightness, 0..1, below which frames are not compared
UNLIKE, BELOW_USUAL = 0.70, 0.20  # correlation at a cut; how far it is below that of the frames around
USUAL = 1 / 3  # seconds on either side that tell what is usual
CUT_COLOURS = 0.15  # distance of colour histograms, 0..1, at a cut; without it all must change at once:
SUDDEN, UNCHANGED = 5.0, 0.05  # times the usual change; change of a block of 8x8 that counts as none
FLASH, COMES_BACK = 1 / 6, 0.85  # seconds; correlation of the frames before and after a flash
FLAT_BELOW, FADING, LONGEST_FADE = 0.02, 0.985, 2.0  # deviation of brightness; its fall per frame; seconds
LAGS = (1 / 3, 2 / 3, 4 / 3, 8 / 3, 4.0)  # seconds between the two ends of a mixture
OTHER_COLOURS = 0.35  # least distance of colour histograms, 0..1, of the two ends
MIXED, LEAST_SHARE = 0.85, 0.12  # explained variance of a mixture, and of either end in it
LEAST_GAIN = 0.15  # of what both ends explain more than the better one, if they are unlike; less in a pan
WIDENINGS = 3  # of a span at whose ends the blend has not ended yet
STILL_COLOURS, STILL_UNLIKE = 0.2, 0.5  # of ends of scenes that hardly move: colours, correlation as they lie
STILL_REST, STILL_MIXED = 0.02, 0.1  # squares beside the line: of its length; of the way from the nearer end
CLEAR = 0.6  # width of the span of shares, around a half, that are measured well
GREY = np.array([0.299, 0.587, 0.114], np.float32)


def find_cuts(pictures: Iterator[np.ndarray], fps: float) -> list[Cut]:
    """The cuts of a video of small pictures (H, W, 3), uint8, that come one after the other.

    What is held in memory does not grow with their number.
    """
    found: list[Cut] = []
    around = math.ceil(AROUND * fps)
    for begin, block, core in _blocks(pictures, around):
        inside = range(*core)
        found += [cut.moved(begin) for cut in _Block(block, fps).cuts() if cut.first in inside]
    return merged(found)


def _blocks(pictures: Iterator[np.ndarray], around: int) -> Iterator[tuple[int, np.ndarray, tuple[int, int]]]:
    """Number of a block's first frame, its frames (F, H, W, 3), and the span of it that is its own."""
    begin, kept = 0, []
    while True:
        more = list(itertools.islice(pictures, BLOCK))
        ends = len(more) < BLOCK
        frames = kept + more
        if not frames:
            return
        last = len(frames) + 1 if ends else len(frames) - around
        yield begin, np.stack(frames), (0 if not begin else around, last)
        if ends:
            return
        drop = max(0, len(frames) - 2 * around)
        begin, kept = begin + drop, frames[drop:]


class Mixture(NamedTuple):
    """share: of the later end in a frame, 0..1. explained: variance of the frame by both ends, 0..1. gain:
    how much more that is than by the better one of them."""

    share: float
    explained: float
    gain: float


class _Block:
    """The frames of a block and what is known of them."""

    def __init__(self, frames: np.ndarray, fps: float) -> None:
        self.frames, self.fps = frames, fps
        self.grey = (frames @ GREY) / 255
        self.deviation = self.grey.std((1, 2))
        self.aligner = Aligner(*self.grey.shape[1:])
        self.spectra: dict[int, Spectrum] = {}
        self.histograms: dict[int, np.ndarray] = {}

    def cuts(self) -> list[Cut]:
        sharp = self.flat() + self.hard()
        return merged(sharp + self.mixtures(sharp))

    def align(self, one: int, other: int):
        return self.aligner.align(self.spectrum(one), self.spectrum(other))

    def spectrum(self, number: int) -> Spectrum:
        found = self.spectra.get(number)
        if found is None:
            found = self.spectra[number] = Spectrum(self.grey[number])
            if len(self.spectra) > SPECTRA:
                del self.spectra[next(iter(self.spectra))]
        return found

    def frames_of(self, seconds: float) -> int:
        return max(1, round(seconds * self.fps))

    def hard(self) -> list[Cut]:
        likeness = np.ones(len(self.grey))
        change = np.abs(np.diff(self.grey, axis=0)).mean((1, 2))
        empty = self.deviation < FLAT_BELOW
        for number in np.flatnonzero(change > CHANGED) + 1:
            if not (empty[number] or empty[number - 1]):
                likeness[number] = self.align(number - 1, number).correlation
        reach = self.frames_of(USUAL)
        found = []
        for number in np.flatnonzero(likeness < UNLIKE):
            beside = np.r_[likeness[max(1, number - reach) : number], likeness[number + 1 :][:reach]]
            usual = np.median(beside) if len(beside) else 1.0
            if likeness[number] > usual - BELOW_USUAL:
                continue
            if self.is_another_picture(int(number), change) and not self.comes_back(int(number)):
                found.append(hard_cut(int(number)))
        return found

    def is_another_picture(self, number: int, change: np.ndarray) -> bool:
        """Whether colours or the whole picture change at once; where a large thing moves neither does.

        change: mean change of brightness from each frame to the next."""
        if self._colours(number - 1, number) > CUT_COLOURS:
            return True
        reach = self.frames_of(USUAL)
        beside = np.r_[change[max(0, number - 1 - reach) : number - 1], change[number : number + reach]]
        blocks = np.abs(self.grey[number] - self.grey[number - 1]).reshape(4, 9, 8, 8).mean((1, 3))
        is_sudden = not len(beside) or change[number - 1] > SUDDEN * np.median(beside)
        return bool(is_sudden and (blocks < UNCHANGED).mean() < 0.5)

    def comes_back(self, number: int) -> bool:
        """Whether a picture from before a frame is there again soon after it."""
        longest = self.frames_of(FLASH)
        for before, after in itertools.product(range(1, longest + 1), range(longest)):
            one, other = number - before, number + after
            inside = one >= 0 and other < len(self.grey)
            if not inside or not 2 <= before + after <= longest + 1:
                continue
            if self.align(one, other).correlation > COMES_BACK:
                return True
        return False

    def flat(self) -> list[Cut]:
        empty = np.r_[False, self.deviation < FLAT_BELOW, False]
        edges = np.flatnonzero(np.diff(empty.astype(np.int8)))
        found = []
        for first, behind in edges.reshape(-1, 2).tolist():
            last = behind - 1
            inside = first > 0 and behind < len(self.grey)
            short = behind - first <= self.frames_of(FLASH)
            if inside and short and self.align(first - 1, behind).correlation > UNLIKE:
                continue  # a blink
            found.append(Cut(self._faded(first, -1), self._faded(last, 1), FLAT))
        return found

    def _faded(self, number: int, step: int) -> int:
        """The last frame of a fade, from its flat end outwards."""
        for _ in range(self.frames_of(LONGEST_FADE)):
            beyond = number + 2 * step
            if not 0 <= beyond < len(self.grey) or not 0 <= number + step < len(self.grey):
                break
            if self.deviation[number + step] > FADING * self.deviation[beyond]:
                break
            number += step
        return number

    def mixtures(self, sharp: list[Cut]) -> list[Cut]:
        spans: list[tuple[int, int]] = []
        blocked = np.zeros(len(self.grey) + 1, np.int64)
        for cut in sharp:
            blocked[cut.first : max(cut.first, cut.last) + 1] = 1
        before = np.cumsum(blocked)
        for seconds in LAGS:
            lag = 2 * max(2, self.frames_of(seconds) // 2)
            for end in range(lag, len(self.grey), max(1, lag // 4)):
                begin = end - lag
                if before[end] == before[begin] and self._is_mixture(begin, end):
                    spans.append((begin, end))
        found = []
        for span in _united(spans):
            wide = self._widened(span, before)
            cut, is_even = self._extent(*wide)
            for _ in range(WIDENINGS):  # both ends may be mixtures themselves
                if not is_even or (cut.first > wide[0] + 1 and cut.last < wide[1] - 1):
                    break
                wide = self._widened(wide, before)
                wider, is_even = self._extent(*wide)
                cut = wider if is_even else cut
            found.append(cut)
        return found

    def _widened(self, span: tuple[int, int], before: np.ndarray) -> tuple[int, int]:
        """A span with half of its length on either side, up to the next cut. before: how many frames of sharp
        cuts lie before each frame."""
        begin, end = span
        for more in range((end - begin) // 2, 0, -1):
            wide = max(0, begin - more), min(len(self.grey) - 1, end + more)
            if before[wide[0]] == before[begin] and before[wide[1]] == before[end]:
                return wide
        return span

    def _is_mixture(self, begin: int, end: int) -> bool:
        if np.abs(self.grey[begin] - self.grey[end]).mean() < 2 * CHANGED:
            return False
        colours = self._colours(begin, end)
        if colours > STILL_COLOURS and self._is_still_mixture(begin, end, colours):
            return True
        if colours < OTHER_COLOURS or self.align(begin, end).correlation > UNLIKE:
            return False
        share, explained, gain = self.share(begin, end, (begin + end) // 2)
        if explained < MIXED or not LEAST_SHARE < share < 1 - LEAST_SHARE:
            return False
        less = min(share, 1 - share) ** 2
        return gain > LEAST_GAIN * less / (less + max(share, 1 - share) ** 2)

    def _is_still_mixture(self, begin: int, end: int, colours: float) -> bool:
        """Whether frames lie on the line between both ends, pixel by pixel: scenes that hardly move, however
        smooth they are. A light that changes leaves the picture as it is, and is none."""
        first, last = self._values(begin), self._values(end)
        one, other = first - first.mean((0, 1)), last - last.mean((0, 1))
        if (one * other).sum() > STILL_UNLIKE * np.linalg.norm(one) * np.linalg.norm(other):
            return False
        most = STILL_REST if colours > OTHER_COLOURS else STILL_REST / 3
        lag, shares = end - begin, []
        for place in (begin + round(lag / 4), begin + lag // 2, begin + round(lag * 3 / 4)):
            share, rest = self.on_line(begin, end, place)
            near = min(share, 1 - share)
            if rest > most or (place == begin + lag // 2 and rest > STILL_MIXED * (near * near + rest)):
                return False
            shares.append(share)
        return -0.1 < shares[0] < shares[1] < shares[2] < 1.1 and 0.2 < shares[1] < 0.8

    def on_line(self, begin: int, end: int, number: int) -> tuple[float, float]:
        """Where a frame lies on the line from one end to the other, 0..1, and the square of how far beside
        it, in squares of the line's length."""
        first = self._values(begin)
        way, beyond = self._values(end) - first, self._values(number) - first
        length = max(float((way * way).sum()), 1e-6)
        share = float((beyond * way).sum()) / length
        return share, float(((beyond - share * way) ** 2).sum()) / length

    def _values(self, number: int) -> np.ndarray:
        return self.frames[number].astype(np.float32) / 255

    def share(self, begin: int, end: int, number: int) -> Mixture:
        """How far a frame is a mixture of both ends of a span."""
        picture = self.grey[number]
        shifts = [self.align(number, other).shift for other in (begin, end)]
        ones = np.ones_like(picture)
        parts, inside = [], ones.astype(bool)
        for other, shift in zip((begin, end), shifts, strict=True):
            moved, there = np.zeros_like(picture), np.zeros_like(inside)
            target, source = overlap(moved, self.grey[other], shift)
            target[...] = source
            overlap(there, there, shift)[0][...] = True
            parts.append(moved)
            inside &= there
        if inside.sum() < inside.size / 4:
            return Mixture(0.0, 0.0, 0.0)
        known = np.stack([part[inside] for part in parts])
        known -= known.mean(1, keepdims=True)
        values = picture[inside] - picture[inside].mean()
        products, targets = known @ known.T, known @ values
        spread = max(float(values @ values), 1e-6 * len(values))
        weights = np.linalg.lstsq(products, targets, rcond=None)[0]
        explained = float(targets @ weights) / spread
        alone = float((targets**2 / products.diagonal().clip(1e-9)).max()) / spread
        total = float(np.abs(weights).sum())
        return Mixture(float(weights[1]) / max(total, 1e-6), explained, explained - alone)

    def _extent(self, begin: int, end: int) -> tuple[Cut, bool]:
        """The frames of a span that are mixtures of its ends: where a line through the clear ones leads; and
        whether there is such a line."""
        if self._is_still_mixture(begin, end, self._colours(begin, end)):
            shares = [(number, self.on_line(begin, end, number)[0]) for number in range(begin + 1, end)]
        else:
            shares = [(number, self.share(begin, end, number).share) for number in range(begin + 1, end)]
        clear = np.array([pair for pair in shares if abs(pair[1] - 0.5) < CLEAR / 2])
        slope, offset = np.polyfit(*clear.T, 1) if len(clear) > 1 else (0.0, 0.0)
        if slope * (end - begin) < 0.5:  # no even blend
            return Cut(begin + 1, end - 1, BLEND), False
        first, last = (round(float((share - offset) / slope)) for share in (0, 1))
        return Cut(max(begin, first) + 1, min(end, last) - 1, BLEND), True

    def _colours(self, one: int, other: int) -> float:
        """Half the summed difference of two colour histograms, 0..1."""
        for number in (one, other):
            if number not in self.histograms:
                self.histograms[number] = colour_histogram(self.frames[number])
        return float(np.abs(self.histograms[one] - self.histograms[other]).sum() / 2)


def _united(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans whose middles lie in one another, as one: the shortest of them, which is nearest to the blend."""
    found: list[tuple[int, int]] = []
    for begin, end in sorted(spans, key=lambda span: span[1] - span[0]):
        if not any(begin < last and first < end for first, last in found):
            found.append((begin, end))
    return found


def colour_histogram(picture: np.ndarray) -> np.ndarray:
    """The share of 8 x 8 x 8 colours in a picture (H, W, 3), uint8; each value is shared by its two bins."""
    values = picture.reshape(-1, 3).astype(np.float32) * (7 / 255)
    low = np.floor(values).clip(0, 6).astype(np.int64)
    high = values - low
    found = np.zeros(512)
    for corner in itertools.product((0, 1), repeat=3):
        weight = np.where(corner, high, 1 - high).prod(-1)
        found += np.bincount((low + corner) @ (64, 8, 1), weight, 512)
    return found / len(values)
