"""Which frames a person means, as lists of frame numbers that start at 0."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..foreign_text import printable

MOST_FRAMES = 1_000_000  # of one list: what is longer is a slip of the finger, and would fill the memory
LONGEST_PART = 100  # characters of a number or a range
PART = re.compile(r"(-?\d+)|(-?\d+)?:(-?\d+)?(?::(-?\d+)?)?")
HOW_TO = (
    'write frame numbers and ranges, separated by commas, for example "0:16:2,-1" (start:end:step, the end'
    " not included)"
)


def select_frames(expression: str, num_frames: int) -> list[int]:
    """The frame numbers that an expression such as "0:16:2,-1" names, in its order;
    negative numbers count from the end.

    Ranges are Python's slices: they end before their end and at the last frame. Raises ValueError on what is
    no such expression, on a frame that is not there, and when nothing is left.
    """
    numbers: list[int] = []
    for part in _parts_of(expression):
        if isinstance(part, slice):
            numbers += range(num_frames)[part]
        else:
            numbers.append(_frame_there(part, expression, num_frames))
        _check_number(len(numbers))
    if not numbers:
        raise ValueError(
            f'frames="{printable(expression)}" names none of the {num_frames} frames (numbers 0 to '
            f"{num_frames - 1}); {HOW_TO}."
        )
    return numbers


def check_expression(expression: str) -> None:
    """Raises ValueError on what names no frames of any video, before their number is known."""
    if not list(_parts_of(expression)):
        raise ValueError(f'frames="{printable(expression)}" names no frames; {HOW_TO}.')


def _parts_of(expression: str) -> Iterator[int | slice]:
    """The numbers and ranges of an expression: "0:16:2,-1" -> slice(0, 16, 2), -1."""
    parts = [part.strip() for part in expression.replace("，", ",").replace("：", ":").split(",")]
    return (_number_or_range(re.sub(r"\s*:\s*", ":", part), expression) for part in parts if part)


def _number_or_range(part: str, expression: str) -> int | slice:
    found = PART.fullmatch(part) if len(part) < LONGEST_PART else None
    if not found:
        raise ValueError(
            f'frames="{printable(expression)}": "{printable(part)}" is neither a frame number nor a range; '
            f"{HOW_TO}."
        )
    single, *ends = (None if text is None else int(text) for text in found.groups())
    if ends[2] == 0:
        raise ValueError(
            f'frames="{printable(expression)}": the step of "{printable(part)}" must not be 0; 1 takes '
            "every frame, -1 goes backwards."
        )
    return slice(*ends) if single is None else single


def _frame_there(number: int, expression: str, num_frames: int) -> int:
    if not -num_frames <= number < num_frames:
        raise ValueError(
            f'frames="{printable(expression)}": there is no frame {number}; these are {num_frames} frames, '
            f"numbers 0 to {num_frames - 1} "
            f"or -{num_frames} to -1 from the end."
        )
    return number % num_frames


def split_place(position: int, num_frames: int) -> int:
    """Where a split at `position` falls, 1..num_frames-1; negative positions count from the end. ValueError
    where a part would be empty.
    """
    place = position + num_frames if position < 0 else position
    if not 0 < place < num_frames:
        raise ValueError(
            f"position={position} leaves one part of the {num_frames} frames empty; it must be 1 to"
            f" {num_frames - 1}, or -1 to -{num_frames - 1} from the end."
        )
    return place


def ping_pong(num_frames: int, repeat_ends: bool) -> list[int]:
    """Forwards and backwards again. Without repeated ends a player's loop shows no frame twice in a row."""
    forwards = list(range(num_frames))
    backwards = forwards[::-1]
    return forwards + (backwards if repeat_ends else backwards[1:-1])


def interleaved(num_first: int, num_second: int) -> list[int]:
    """One of the first, one of the second in turn (the second's are numbered on from num_first);
    the longer one's rest follows.
    """
    both = min(num_first, num_second)
    in_turn = [number for i in range(both) for number in (i, num_first + i)]
    return in_turn + list(range(both, num_first)) + list(range(num_first + both, num_first + num_second))


def repeated(num_frames: int, times: int, each_frame: bool) -> list[int]:
    """The clip `times` times over, or every frame `times` times in a row.
    ValueError for fewer than 1 time and for too many frames.
    """
    if times < 1:
        raise ValueError(f"times={times} must be at least 1; 1 leaves the clip as it is.")
    _check_number(num_frames * times)
    if each_frame:
        return [number for number in range(num_frames) for _ in range(times)]
    return list(range(num_frames)) * times


def evenly_spread(num_frames: int, count: int) -> list[int]:
    """At most `count` frame numbers, the first and the last among them,
    at equal distances; 0 = all of them.
    """
    if count == 0 or count >= num_frames:
        return list(range(num_frames))
    if count == 1:
        return [0]
    return [round(i * (num_frames - 1) / (count - 1)) for i in range(count)]


def _check_number(count: int) -> None:
    if count > MOST_FRAMES:
        raise ValueError(f"that would be {count} frames; at most {MOST_FRAMES} are made at once. Take fewer.")
