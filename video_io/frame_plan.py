"""Which frames of a video are wanted:
a list of frame numbers, made before anything is decoded. Times are in seconds.
"""

from __future__ import annotations

import bisect
import itertools
import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from .even_times import MILLISECOND, EvenGrid, exact_rate, find_grid

FEW_MISSING = 2  # frames of a constant rate that cutting or capturing may have lost, at most one in fifty


@dataclass(frozen=True)
class FrameRequest:
    """Applied in this order: the span of time, the forced rate,
    the skipped frames, every n-th, the cap, the multiple.
    """

    start_seconds: float = 0.0
    duration_seconds: float = 0.0  # 0 = to the end
    force_rate: float = 0.0  # frames per second to resample to, 0 = the file's own frames
    skip_first_frames: int = 0
    select_every_nth: int = 1
    frame_cap: int = 0  # at most so many frames, 0 = all
    multiple: int = 1  # the number of frames is cut to a multiple of this, plus `offset`: 4n+1, 8n+1
    offset: int = 0

    def __post_init__(self) -> None:
        if self.select_every_nth < 1:
            raise ValueError(
                f"select_every_nth={self.select_every_nth} must be 1 or more; 1 takes every frame."
            )
        if self.multiple < 1 or not 0 <= self.offset < max(2, self.multiple):
            raise ValueError(
                f"frames as a multiple of {self.multiple} plus {self.offset} is no rule; "
                f"take a multiple of 1 or more."
            )
        for name in ("start_seconds", "duration_seconds", "force_rate", "skip_first_frames", "frame_cap"):
            if not (value := getattr(self, name)) >= 0 or math.isinf(value):
                raise ValueError(f"{name}={value} must be 0 or a positive number; 0 switches it off.")


@dataclass(frozen=True)
class FramePlan:
    """The numbers of the wanted frames, and the span of the video, in seconds, that they stand for."""

    numbers: list[int]
    begin: float
    end: float
    fps: float  # at which they last as long as the span
    varies: bool = False  # whether some of them stand for longer than others


def plan_frames(times: Sequence[float], request: FrameRequest, end: float | None = None) -> list[int]:
    """Numbers of the wanted frames in a video whose frames are shown from `times` (ascending) on.

    end: until when the last one is shown, None = as long as usual. Raises ValueError as `plan_span` does."""
    return plan_span(times, request, end).numbers


def plan_span(
    times: Sequence[float], request: FrameRequest, end: float | None = None, tick: Fraction = MILLISECOND,
    claimed: Iterable[Fraction | None] = (),
) -> FramePlan:  # fmt: skip
    """The wanted frames of a video whose frames are shown from `times` (ascending) on.

    end: until when the last one is shown, None = as long as usual. tick: seconds that times are whole numbers
    of, perhaps rounded. claimed: rates that the video is said to have.
    A forced rate repeats or leaves out frames: each output frame is the nearest in time, and comes no more
    than half an output frame early. Frames as they are have their constant rate, or, where it varies, their
    number divided by the seconds of the span. Raises ValueError when nothing is left, saying why."""
    if not times:
        raise ValueError("the video has no frames; choose another file.")
    shown = _Shown.of(times, end, tick, claimed)
    begin = shown.times[0] + request.start_seconds
    stop = min(begin + request.duration_seconds, shown.end) if request.duration_seconds else shown.end
    rate = request.force_rate
    everything = _at_rate(shown, begin, stop, rate) if rate else _in_span(shown, begin, stop)
    wanted = everything[request.skip_first_frames :: request.select_every_nth]
    taken = wanted[: _how_many(len(wanted), request)]
    if not taken:
        raise ValueError(
            f"no frames are left: the video has {len(times)} frames and lasts "
            f"{shown.end - shown.times[0]:.2f} s, {len(everything)} of them lie in the span from "
            f"{request.start_seconds:g} s; start earlier, skip fewer frames, or ask for fewer at a time."
        )
    if rate:
        begin += request.skip_first_frames / float(exact_rate(rate))
        fps = rate / request.select_every_nth
        return FramePlan(taken, begin, begin + len(taken) / fps, fps)
    return _as_they_are(shown, taken, request.select_every_nth, begin, stop)


def _as_they_are(
    shown: _Shown, taken: list[int], select_every_nth: int, begin: float, stop: float
) -> FramePlan:
    """The plan of frames that were taken from a span without a forced rate."""
    begin = max(begin, shown.times[taken[0]])
    if shown.is_constant:
        rate = shown.grid.rate / select_every_nth
        return FramePlan(taken, begin, begin + float(len(taken) / rate), float(rate))
    following = taken[-1] + select_every_nth
    stop = min(stop, shown.times[following]) if following < len(shown.times) else stop
    return FramePlan(taken, begin, stop, len(taken) / (stop - begin), varies=True)


@dataclass(frozen=True)
class _Shown:
    """When the frames of a video are shown."""

    times: Sequence[float]
    end: float
    slack: float  # times no further apart count as equal
    grid: EvenGrid | None = None  # that the times lie on
    is_constant: bool = False  # whether every frame is shown equally long, but for a few

    @classmethod
    def of(
        cls, times: Sequence[float], end: float | None, tick: Fraction, claimed: Iterable[Fraction | None]
    ) -> _Shown:
        step = statistics.median(b - a for a, b in itertools.pairwise(times)) if len(times) > 1 else 1.0
        end = times[-1] + step if end is None or end <= times[-1] else end
        grid = find_grid(times, tick, claimed)
        if grid is None:
            return cls(times, end, min(float(MILLISECOND), step / 4))
        place = max(int(grid.places[-1]) + 1, round((end - times[0]) * grid.rate))
        exact = [times[0] + past for past in grid.seconds([*grid.places, place]).tolist()]
        missing = place - int(grid.places[0]) - len(times)
        return cls(exact[:-1], exact[-1], 1e-6, grid, missing <= min(FEW_MISSING, len(times) // 50))


def _in_span(shown: _Shown, begin: float, stop: float) -> list[int]:
    """Every frame that is first shown in a span; where there is none, the one that is shown in it."""
    times, nudge = shown.times, min(float(MILLISECOND), (shown.end - shown.times[0]) / len(shown.times) / 4)
    first = bisect.bisect_left(times, begin - nudge)
    last = bisect.bisect_left(times, stop - nudge) if stop < shown.end else len(times)
    if first >= last and begin < shown.end:
        return [max(0, bisect.bisect_right(times, begin + nudge) - 1)]
    return list(range(first, last))


def _at_rate(shown: _Shown, begin: float, stop: float, force_rate: float) -> list[int]:
    """The frame for each step of a rate; ties go to the earlier one.

    60 to 30 a second: 0, 2, 4. 24 to 60: 0, 0, 1, 1, 1, 2, 2, 3. From 0 and 9 s on, to 1: nine times 0."""
    rate, times = exact_rate(force_rate), shown.times
    half = 1 / (2 * float(rate)) + (
        shown.slack if shown.is_constant else -shown.slack
    )  # a held picture stays in doubt
    spare = min(2 * MILLISECOND * rate, Fraction(1, 4))  # of an output frame: the end is rounded too
    count = max(math.ceil((stop - begin) * rate - spare), int(begin < stop))
    numbers = []
    for index in range(count):
        time = begin + index * rate.denominator / rate.numerator
        number = max(0, bisect.bisect_right(times, time + shown.slack) - 1)
        if number + 1 < len(times):
            early, late = times[number + 1] - time, time - times[number]
            number += early < late - shown.slack and early <= half
        numbers.append(number)
    return numbers


def _how_many(there: int, request: FrameRequest) -> int:
    """How many of so many frames the cap and the multiple leave."""
    count = min(there, request.frame_cap) if request.frame_cap else there
    if request.multiple > 1 and count >= request.offset:
        count = (count - request.offset) // request.multiple * request.multiple + request.offset
    return count
