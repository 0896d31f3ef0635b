"""A number for every frame from a text such as `0:(0), 16:(1.5), max_f-1:(sin(t))`.

The format is that of FizzNodes' ValueSchedule and Deforum (github.com/deforum-art), read as keyed_text.py
says. A number goes over into the value of the next key. An expression with t is in force up to the next key,
as in both.

Where FizzNodes is arguably wrong, "FizzNodes" reads a text as it does: max_f is the last frame's number, and
keys past the end are left out, so that nothing goes towards them.

Letters: F frames.
"""

from __future__ import annotations

from dataclasses import dataclass

from .curves import CURVES, EVOLVED, LINEAR, between_keys
from .expressions import Expression, read_expression
from .keyed_text import number_value, read_entries
from .prompts import FIZZNODES, PLAIN, check_choices, refuse_keys_past_loop
from .written_text import WrittenText

VALUE_CURVES = [curve for curve in CURVES if curve != EVOLVED]
"""AnimateDiff-Evolved's own values go along a line."""


@dataclass(frozen=True)
class ValueSettings:
    """Numbers over num_frames frames. Raises ValueError for choices that are not there."""

    text: str
    num_frames: int = 16
    curve: str = LINEAR
    """One of VALUE_CURVES."""
    loop: bool = False
    """Whether the last value goes over into the first at the end."""
    read_as: str = PLAIN
    """One of READ_AS."""

    def __post_init__(self) -> None:
        check_choices(self, VALUE_CURVES)


def schedule_values(settings: ValueSettings) -> list[float]:
    """The number of every frame, F of them.
    Raises ValueError with line and column for a text that cannot be read.
    """
    is_fizz, num_frames = settings.read_as == FIZZNODES, settings.num_frames
    max_f = num_frames - is_fizz
    source = WrittenText("text", settings.text)
    entries = read_entries(source, number_value, max_f, num_frames)
    refuse_keys_past_loop(source, entries, settings)
    if is_fizz:
        entries = [entry for entry in entries if entry.key.frame < num_frames] or entries[:1]
    keys = [entry.key for entry in entries]
    found = [read_expression(source, e.value.start, e.value.end, ("t", "max_f")) for e in entries]
    values = []
    for frame, place in enumerate(between_keys(keys, num_frames, settings.curve, settings.loop)):
        now = found[place.before]
        if "t" in now.names:
            values.append(now.value({"t": frame, "max_f": max_f}))
        else:
            ends = [_at_key(found[i], keys[i].frame, max_f) for i in (place.before, place.after)]
            values.append(ends[0] + place.weight * (ends[1] - ends[0]))
    return values


def _at_key(expression: Expression, frame: int, max_f: int) -> float:
    return expression.value({"t": frame, "max_f": max_f})
