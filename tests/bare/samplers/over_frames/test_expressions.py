"""Arithmetic in prompts and schedules: its values, and what is refused with its place."""

import math

import pytest
from zoetrope.samplers.over_frames.expressions import CONSTANTS, DEEPEST, FUNCTIONS, read_expression
from zoetrope.samplers.over_frames.written_text import WrittenText

NAMES = {"t": 3.0, "max_f": 7.0}


def read(text):
    return read_expression(WrittenText("text", text), 0, len(text), tuple(NAMES))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1/2", 0.5),
        ("-t**2 + 10", 1),
        ("7 // 2 + 7 % 4", 6),
        ("0.5+0.5*sin(2*pi*t/max_f)", 0.5 + 0.5 * math.sin(6 * math.pi / 7)),
        ("sqrt(t + 1)", 2),
        ("tan(t)", math.tan(3)),
        ("exp(1) - e", 0),
        ("where(t > 3, 1/(t - 3), 0.25)", 0.25),
        ("1 if t >= 3 and not max_f == 3 else 0", 1),
        ("(t > 1) & (t < 3) | (t != 3)", 0),
        ("min(t, max_f) + max(t, max_f) + abs(-2)", 12),
        ("clip(t, 0, 1)", 1),
        ("arctan2(1, 1)", math.pi / 4),
        ("\n t\n * 2 ", 6),
    ],
)
def test_values(text, value):
    assert read(text).value(NAMES) == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_takes_its_numbers(name):
    count, _ = FUNCTIONS[name]
    assert math.isfinite(read(f"{name}({', '.join(['0.5'] * count)})").value(NAMES))
    with pytest.raises(ValueError, match=f"'{name}' takes {count} numbers, this gives {count + 1}"):
        read(f"{name}({', '.join(['0.5'] * (count + 1))})")


def test_names_are_those_that_are_used():
    assert read("sqrt(2) + tan(pi)").names == set()
    assert read("max_f - t").names == set(NAMES)
    assert not set(CONSTANTS) & set(NAMES)


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("", "line 1, column 1", "the text ends, expected a number or an expression"),
        ("t +", "line 1, column 1", r"'t \+' is no expression"),
        ("1 + sqr(t)", "line 1, column 5", "'sqr' is no function here; there are sin, cos"),
        ("t + frames", "line 1, column 5", "'frames' is not known; the names are t, max_f, pi, e"),
        ("t\n + x", "line 2, column 4", "'x' is not known"),
        ("t^2", "line 1, column 1", r"a power is written \*\*"),
        ("'é' + q", "line 1, column 1", "this is no part of an expression"),
        ("t + 'éé' * t", "line 1, column 5", "this is no part of an expression"),
        ("t.real", "line 1, column 1", "this is no part of an expression"),
        ("[t][0]", "line 1, column 1", "this is no part of an expression"),
        ("(lambda: 1)()", "line 1, column 1", "this is no part of an expression"),
        ("sin(t, out=t)", "line 1, column 1", "this is no part of an expression"),
        ("1 < t < 5", "line 1, column 1", "this is no part of an expression"),
        ("__import__('os')", "line 1, column 12", "this is no part of an expression"),
        ("1j", "line 1, column 1", "this is no part of an expression"),
        ("t\0", "line 1, column 1", "is no expression"),
        ("9" * 400, "line 1, column 1", "this number is too large"),
        ("1" + "+t" * 300, "line 1, column 1", "an expression of 601 characters; write at most 500"),
        ("-" * (DEEPEST + 5) + "t", f"line 1, column {DEEPEST + 2}", "more than 40 operations"),
        ("(" * 300 + "t" + ")" * 100, "line 1, column 1", "is no expression"),
    ],
)
def test_what_is_no_expression_is_refused_at_its_place(text, place, words):
    with pytest.raises(ValueError, match=rf"^text, {place}: .*{words}"):
        read(text)


@pytest.mark.parametrize(
    "text", ["1/(t - 3)", "log(t - 3)", "sqrt(-t)", "(-t)**0.5", "9**9**9**9", "exp(999)"]
)
def test_a_frame_without_a_value_is_named(text):
    with pytest.raises(ValueError, match=r"^text, line 1, column 1: .* has no value \((t=3|always)\)"):
        read(text).value(NAMES)
