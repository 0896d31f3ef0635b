"""Which frames of a video are wanted: a list of frame numbers, made before anything is decoded. Times are in seconds."""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class FrameWish:
    """Applied in this order: the span of time, the forced rate, the skipped frames, every n-th, the cap, the multiple."""

    start_seconds: float = 0.0
    duration_seconds: float = 0.0  # 0 = to the end
    force_rate: float = 0.0  # frames per second to resample to, 0 = the file's own frames
    skip_first_frames: int = 0
    every_nth: int = 1
    cap: int = 0  # at most so many frames, 0 = all
    multiple: int = 1  # the number of frames is cut to a multiple of this, plus `offset`: 4n+1, 8n+1
    offset: int = 0

    def __post_init__(self) -> None:
        if self.every_nth < 1:
            raise ValueError(f"select_every_nth={self.every_nth} must be 1 or more; 1 takes every frame.")
        if self.multiple < 1 or not 0 <= self.offset < max(2, self.multiple):
            raise ValueError(f"frames as a multiple of {self.multiple} plus {self.offset} is no rule; take a multiple of 1 or more.")
        for name in ("start_seconds", "duration_seconds", "force_rate", "skip_first_frames", "cap"):
            if not (value := getattr(self, name)) >= 0 or math.isinf(value):
                raise ValueError(f"{name}={value} must be 0 or a positive number; 0 switches it off.")


def plan_frames(times: Sequence[float], wish: FrameWish, end: float | None = None) -> list[int]:
    """Numbers of the wanted frames in a video whose frames are shown from `times` (ascending) on, the last until `end`.

    A forced rate repeats or leaves out frames: each output frame is the one shown at its time.
    Raises ValueError when nothing is left, saying why."""
    if not times:
        raise ValueError("the video has no frames; choose another file.")
    step = (times[-1] - times[0]) / (len(times) - 1) if len(times) > 1 else 1.0
    end = times[-1] + step if end is None or end <= times[-1] else end
    begin = times[0] + wish.start_seconds
    last = begin + wish.duration_seconds if wish.duration_seconds else end
    nudge = 1e-6  # times come from fractions: what is meant to be equal shall count as equal
    if wish.force_rate:
        count = max(0, math.ceil((min(last, end) - begin) * wish.force_rate - nudge * wish.force_rate))
        chosen = [max(0, bisect.bisect_right(times, begin + i / wish.force_rate + nudge) - 1) for i in range(count)]
    else:
        chosen = list(range(bisect.bisect_left(times, begin - nudge), bisect.bisect_left(times, last - nudge)))
        if not chosen and begin < end:  # a span within one frame shows that frame
            chosen = [max(0, bisect.bisect_right(times, begin + nudge) - 1)]
    in_span = len(chosen)
    chosen = chosen[wish.skip_first_frames :: wish.every_nth]
    chosen = chosen[: wish.cap] if wish.cap else chosen
    if wish.multiple > 1 and len(chosen) >= wish.offset:
        chosen = chosen[: (len(chosen) - wish.offset) // wish.multiple * wish.multiple + wish.offset]
    if not chosen:
        raise ValueError(
            f"no frames are left: the video has {len(times)} frames and lasts {end - times[0]:.2f} s, {in_span} of them lie in the span "
            f"from {wish.start_seconds:g} s; start earlier, skip fewer frames, or ask for fewer at a time."
        )
    return chosen
