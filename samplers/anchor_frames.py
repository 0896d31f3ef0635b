"""Anchor frames: frames that every context window sees in front of its own, and does not change.

Ours: windows agree with their neighbours only, and drift over a long video; a frame that all of them see
holds them together. It has its own place in the video too, where its result comes from.
"""

from __future__ import annotations

from collections.abc import Sequence


def with_anchors(
    windows: Sequence[Sequence[int]], weights: Sequence[Sequence[float]], anchors: Sequence[int]
) -> tuple[list[list[int]], list[list[float]]]:
    """The windows with those anchors in front that they lack, which weigh nothing there.

    >>> with_anchors([[0, 1, 2], [2, 3, 4]], [[1.0] * 3, [1.0] * 3], [0])
    ([[0, 1, 2], [0, 2, 3, 4]], [[1.0, 1.0, 1.0], [0.0, 1.0, 1.0, 1.0]])
    """
    lacking = [[frame for frame in anchors if frame not in window] for window in windows]
    seen = [[*front, *window] for front, window in zip(lacking, windows, strict=True)]
    return seen, [[0.0] * len(front) + list(own) for front, own in zip(lacking, weights, strict=True)]
