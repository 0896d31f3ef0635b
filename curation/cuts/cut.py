"""What a cut is, and the shots between cuts.

Numbers are those of frames; a shot is a pair (first frame, last frame).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

HARD, BLEND, FLAT = "hard", "blend", "flat"


@dataclass(frozen=True, order=True)
class Cut:
    """Frames first..last belong to no shot: blends, or frames without a picture.

    The shot before ends at first - 1, the one behind begins at last + 1; at a hard cut last is first - 1.
    """

    first: int
    last: int
    kind: str = HARD

    @property
    def is_hard(self) -> bool:
        return self.last < self.first

    def moved(self, by: int) -> Cut:
        """The same cut, `by` frames later."""
        return Cut(self.first + by, self.last + by, self.kind)


def hard_cut(frame: int) -> Cut:
    """A cut whose new shot begins with a frame."""
    return Cut(frame, frame - 1)


def merged(cuts: Iterable[Cut]) -> list[Cut]:
    """Cuts in their order; those that overlap or touch are one."""
    found: list[Cut] = []
    for cut in sorted(cuts):
        before = found[-1] if found else None
        if before is None or cut.first > before.last + 1 or (cut.is_hard and cut.first == before.last + 2):
            found.append(cut)
        elif cut.last > before.last or cut.kind != before.kind:
            kind = before.kind if not before.is_hard else cut.kind
            found[-1] = Cut(before.first, max(before.last, cut.last), kind)
    return found


def shots_between(cuts: Iterable[Cut], num_frames: int, margin: int = 0) -> list[tuple[int, int]]:
    """The shots of a video. margin: frames beside a gradual cut that are left out as well, because nobody
    can say where a blend begins."""
    shots, begin = [], 0
    for cut in merged(cuts):
        beside = 0 if cut.is_hard else margin
        shots.append((begin, min(cut.first, num_frames) - 1 - beside))
        begin = cut.last + 1 + beside
    shots.append((begin, num_frames - 1))
    return [(first, last) for first, last in shots if last >= first]
