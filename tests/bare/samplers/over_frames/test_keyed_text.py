"""Entries of frame number and value: every way to write them, and errors that say where."""

import pytest
from zoetrope.samplers.over_frames.keyed_text import number_value, quoted_value, read_entries, unescaped
from zoetrope.samplers.over_frames.written_text import WrittenText

F = 11


def entries(text, value=quoted_value):
    found = read_entries(WrittenText("text", text), value, F, F)
    return [(e.key.frame, e.key.holds, unescaped(text[e.value.start : e.value.end])) for e in found]


@pytest.mark.parametrize(
    "text",
    [
        '"0": "a", "7": "b"',
        '"0" :"a",\n\n "7" : "b",\n',
        '{"0": "a", "7": "b"}',
        '{0 = "a", 7 = "b",}',
        "0: 'a', 7: 'b'",
        "“0”: “a”, “7”: “b”",
        '"7": "b", "0": "a"',
        '"-11": "a", "-4": "b"',
        '"0.0": "a", "0.65": "b"',
        '"0": "a", "max_f*2/3": "b"',
        '0: "a", max_f-4: "b"',
    ],
)
def test_the_same_two_texts(text):
    assert entries(text) == [(0, False, "a"), (7, False, "b")]


def test_keys_that_hold():
    assert entries('"2:": "a", "5": "b"') == [(2, True, "a"), (5, False, "b")]
    assert entries('"2:5": "a", "1.0": "b"') == [(2, True, "a"), (4, False, "a"), (10, False, "b")]
    assert entries('"max_f-2:max_f": "a"') == [(9, True, "a"), (10, False, "a")]
    assert entries('"2:3": "a"') == [(2, False, "a")]


def test_texts_may_have_commas_colons_lines_and_quotes():
    assert entries('"0": "a, b: {c}\nd = e"') == [(0, False, "a, b: {c}\nd = e")]
    assert entries(r'"0": "\"a\" \(b\) \\ \u00e9\ud83d\ude00\n"') == [
        (0, False, '"a" \\(b\\) \\ é😀\n')]  # fmt: skip
    assert entries("""0: 'a "b"'""") == [(0, False, 'a "b"')]
    assert entries('"0": ""') == [(0, False, "")]


def test_numbers_end_at_a_comma_outside_of_brackets():
    assert entries("0:(where(t>3,1,0)), 5: [2] ,7:1.5,", number_value) == [
        (0, False, "(where(t>3,1,0))"), (5, False, "2"), (7, False, "1.5")]  # fmt: skip
    assert entries('{"0": "1.5"}', number_value) == [(0, False, "1.5")]


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("", "line 1, column 1", "the text ends, expected a frame number and a colon"),
        ("{}", "line 1, column 2", "found '}', expected a frame number"),
        ("a red ball", "line 1, column 11", "the text ends, expected a colon behind a frame number"),
        ('"0" "a"', "line 1, column 5", """found '"a"', expected a colon"""),
        ('"0": a red ball', "line 1, column 6", "found 'a red ball', expected a text in quotes"),
        ('"0": "a",\n"4": "b', "line 2, column 6", "found '\"b', expected a text in quotes"),
        ('"0": "a" "4": "b"', "line 1, column 10", "expected a comma before the next"),
        ('"0": "a\n"4": "b"', "line 2, column 2", r"a quote inside of a text is written \\\"\)"),
        ('{"0": "a"', "line 1, column 10", "expected a comma or } before"),
        ('{"0": "a"} b', "line 1, column 12", "found 'b', expected the end"),
        ('"0": "a"}', "line 1, column 9", "found '}', expected a comma"),
        (', "0": "a"', "line 1, column 1", "expected a frame number"),
        ('"4": "a", "0": "b", "4": "c"', "line 1, column 27", "frame 4 has two values; leave one"),
        (
            '"-12": "a"',
            "line 1, column 2",
            "frame -1 is before the first one; the video has 11 frames, 0 to 10",
        ),
        ('"max_f-12": "a"', "line 1, column 2", "frame -1 is before the first one"),
        ('"5:5": "a"', "line 1, column 2", "a range ends before it begins: 5 to 5; swap"),
        ('"1.5": "a"', "line 1, column 2", "1.5 is above 1.0, the last frame"),
        ('"frames": "a"', "line 1, column 2", "'frames' is not known; the names are max_f"),
        ('"": "a"', "line 1, column 2", "expected a number or an expression"),
        ('"\ud83d": "a"', "line 1, column 2", r"'\\ud83d' is no expression"),
    ],
)
def test_errors_say_where_and_what(text, place, words):
    with pytest.raises(ValueError, match=rf"^text, {place}: .*{words}"):
        entries(text)
