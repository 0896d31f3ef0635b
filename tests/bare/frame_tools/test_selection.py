"""Frame numbers out of expressions, splits, loops and repeats."""

import pytest
from zoetrope.frame_tools import selection


@pytest.mark.parametrize(
    ("expression", "numbers"),
    [
        ("3", [3]),
        ("-1", [6]),
        ("-7", [0]),
        (":", [0, 1, 2, 3, 4, 5, 6]),
        ("::2", [0, 2, 4, 6]),
        ("1::3", [1, 4]),
        ("0:16:2,-1", [0, 2, 4, 6, 6]),
        ("::-1", [6, 5, 4, 3, 2, 1, 0]),
        (" 2 : 4 , 0 ", [2, 3, 0]),
        ("-2:", [5, 6]),
        ("1,1,1", [1, 1, 1]),
        ("0，2：4", [0, 2, 3]),
        ("5,", [5]),
    ],
)
def test_expressions_name_frames_as_python_slices_do(expression, numbers):
    assert selection.select_frames(expression, 7) == numbers


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("", "names none of the 7 frames"),
        ("4:2", "names none of the 7 frames .numbers 0 to 6"),
        ("9:", "names none"),
        ("1-3", '"1-3" is neither'),
        ("a", '"a" is neither a frame number nor a range'),
        ("1:2:3:4", "neither"),
        ("1.5", "neither"),
        ("0x1", "neither"),
        ("2 3", "neither"),
        ("7", "there is no frame 7; these are 7 frames"),
        ("-8", "there is no frame -8"),
        ("::0", "must not be 0"),
    ],
)
def test_what_names_no_frame_is_refused_with_the_part_that_is_wrong(expression, told):
    with pytest.raises(ValueError, match=told):
        selection.select_frames(expression, 7)


@pytest.mark.parametrize("expression", ["0", "::4", "9999,-3", "4:2"])
def test_an_expression_is_checked_before_there_are_frames(expression):
    selection.check_expression(expression)


@pytest.mark.parametrize(
    ("expression", "told"), [("", "names no frames; write"), ("a", "is neither"), ("::0", "must not be 0")]
)
def test_an_expression_that_is_none_is_refused_before_there_are_frames(expression, told):
    with pytest.raises(ValueError, match=told):
        selection.check_expression(expression)


@pytest.mark.parametrize(("position", "place"), [(1, 1), (6, 6), (-1, 6), (-6, 1)])
def test_splits_count_from_either_end(position, place):
    assert selection.split_place(position, 7) == place


@pytest.mark.parametrize("position", [0, 7, -7, 8, 1000])
def test_a_split_leaves_no_part_empty(position):
    with pytest.raises(
        ValueError, match=rf"position={position} leaves one part of the 7 frames empty; it must be 1 to 6"
    ):
        selection.split_place(position, 7)


def test_ping_pong_shows_no_frame_twice_in_a_row_unless_asked():
    assert selection.ping_pong(4, repeat_ends=False) == [0, 1, 2, 3, 2, 1]
    assert selection.ping_pong(4, repeat_ends=True) == [0, 1, 2, 3, 3, 2, 1, 0]
    assert selection.ping_pong(1, repeat_ends=False) == [0]
    assert selection.ping_pong(2, repeat_ends=False) == [0, 1]


@pytest.mark.parametrize(
    ("first", "second", "numbers"), [(2, 2, [0, 2, 1, 3]), (3, 1, [0, 3, 1, 2]), (1, 3, [0, 1, 2, 3])]
)
def test_interleaving_takes_in_turn_and_then_the_rest(first, second, numbers):
    assert selection.interleaved(first, second) == numbers


def test_repeats_of_the_clip_and_of_every_frame():
    assert selection.repeated(3, 2, each_frame=False) == [0, 1, 2, 0, 1, 2]
    assert selection.repeated(3, 2, each_frame=True) == [0, 0, 1, 1, 2, 2]
    with pytest.raises(ValueError, match="times=0 must be at least 1"):
        selection.repeated(3, 0, each_frame=False)
    with pytest.raises(ValueError, match="that would be 3000000 frames; at most 1000000"):
        selection.repeated(300, 10_000, each_frame=False)


@pytest.mark.parametrize(("total", "count", "numbers"), [
    (7, 0, list(range(7))), (7, 9, list(range(7))), (7, 3, [0, 3, 6]), (7, 1, [0]), (8, 2, [0, 7]),
])  # fmt: skip
def test_evenly_spread_frames_begin_and_end_with_the_clip(total, count, numbers):
    assert selection.evenly_spread(total, count) == numbers
