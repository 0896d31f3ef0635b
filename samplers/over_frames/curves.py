"""How what belongs to one key frame becomes what belongs to the next: curves, and the wrap of a loop."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from math import prod

LINEAR, EVOLVED = "linear", "compounding (AnimateDiff-Evolved)"

CURVES: dict[str, Callable[[int, int], float]] = {
    LINEAR: lambda passed, length: passed / length,
    "ease": lambda passed, length: (passed / length) ** 2 * (3 - 2 * passed / length),
    "hold": lambda passed, length: 0.0,
    EVOLVED: lambda passed, length: 1 - prod(1 - i / length for i in range(1, passed + 1)),
}
"""Name -> weight of the next key, from frames since the key before and frames between the two.

AnimateDiff-Evolved mixes each frame from the mixed frame before it, so its ramp runs ahead of a line.
"""


@dataclass(frozen=True)
class Key:
    """What belongs to a frame from which on it counts; a key that holds does not blend into the next."""

    frame: int
    holds: bool = False


@dataclass(frozen=True)
class Between:
    """The keys (their places in the list) before and after a frame, and the weight of the one after, 0..1."""

    before: int
    after: int
    weight: float


def between_keys(keys: list[Key], num_frames: int, curve: str, loop: bool) -> list[Between]:
    """For every frame the keys around it; keys are sorted by frame, at least one.

    Before the first key and after the last one there is only that key; in a
    loop the last one goes over into the first, which comes again num_frames later.
    """
    return [_between(keys, frame, num_frames, curve, loop) for frame in range(num_frames)]


def _between(keys: list[Key], frame: int, num_frames: int, curve: str, loop: bool) -> Between:
    last = len(keys) - 1
    before = bisect_right(keys, frame, key=lambda key: key.frame) - 1
    if last == 0 or (before in (-1, last) and not loop):
        only = max(before, 0)
        return Between(only, only, 0.0)
    after = (before + 1) % len(keys)
    start = keys[before].frame - (num_frames if before < 0 else 0)  # keys[-1] of the round before
    end = keys[after].frame + (num_frames if before == last else 0)
    weight = 0.0 if keys[before].holds else CURVES[curve](frame - start, end - start)
    return Between(before % len(keys), after, weight)
