"""In which order frames are written: once, there and back, again."""

from __future__ import annotations

from collections.abc import Iterator


def turns(ping_pong: bool, repeats: int) -> Iterator[tuple[bool, bool]]:
    """(backward, is it the last) for each time the frames are gone through; `repeats` of 0 and 1 are once."""
    directions = (False, True) if ping_pong else (False,)
    count = max(1, repeats) * len(directions)
    for number in range(count):
        yield directions[number % len(directions)], number == count - 1


def play_order(count: int, ping_pong: bool, repeats: int) -> Iterator[int]:
    """Frame numbers of a video of `count` frames. There and back leaves out both ends on the way back, so that no frame stands twice
    when the video starts again."""
    for backward, _ in turns(ping_pong, repeats):
        yield from range(count - 2, 0, -1) if backward else range(count)


def played_count(count: int, ping_pong: bool, repeats: int) -> int:
    """How many frames play_order names."""
    return max(1, repeats) * (count + (max(0, count - 2) if ping_pong else 0))
