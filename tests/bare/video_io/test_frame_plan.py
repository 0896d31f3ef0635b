"""Which frames are taken: span, rate, skip, every n-th, cap and the models' rules for the number of frames."""
import pytest
from zoetrope.video_io.frame_plan import FrameWish, plan_frames

AT_10 = [i / 10 for i in range(37)]


@pytest.mark.parametrize(("wish", "want"), [
    ({}, list(range(37))),
    ({"start_seconds": 1.0}, list(range(10, 37))),
    ({"start_seconds": 1.0, "duration_seconds": 0.5}, [10, 11, 12, 13, 14]),
    ({"duration_seconds": 0.05}, [0]),
    ({"start_seconds": 0.31, "duration_seconds": 0.05}, [3]),
    ({"skip_first_frames": 30}, list(range(30, 37))),
    ({"every_nth": 10}, [0, 10, 20, 30]),
    ({"skip_first_frames": 5, "every_nth": 10, "cap": 2}, [5, 15]),
    ({"cap": 11, "multiple": 4, "offset": 1}, list(range(9))),
    ({"multiple": 8, "offset": 1}, list(range(33))),
    ({"multiple": 16}, list(range(32))),
    ({"force_rate": 5.0, "cap": 4}, [0, 2, 4, 6]),
    ({"force_rate": 20.0, "cap": 5}, [0, 0, 1, 1, 2]),
    ({"force_rate": 10.0}, list(range(37))),
    ({"force_rate": 8.0, "start_seconds": 1.0, "duration_seconds": 1.0}, [10, 11, 12, 13, 15, 16, 17, 18]),
])  # fmt: skip
def test_frames_taken(wish, want):
    assert plan_frames(AT_10, FrameWish(**wish)) == want


def test_a_forced_rate_shows_what_is_shown_at_its_time():
    """A variable rate: the third frame stays for a second."""
    times = [0.0, 0.1, 0.2, 1.2, 1.3]
    assert plan_frames(times, FrameWish(force_rate=5.0), end=1.4) == [0, 2, 2, 2, 2, 2, 3]


def test_times_that_do_not_begin_at_zero():
    times = [5 + t for t in AT_10]
    assert plan_frames(times, FrameWish(start_seconds=1.0, cap=2)) == [10, 11]


def test_one_frame():
    assert plan_frames([0.0], FrameWish()) == [0]
    assert plan_frames([0.0], FrameWish(force_rate=8.0), end=0.5) == [0, 0, 0, 0]


@pytest.mark.parametrize(("times", "wish", "told"), [
    ([], {}, "has no frames"),
    (AT_10, {"start_seconds": 9.0}, "no frames are left: the video has 37 frames and lasts 3.70 s, 0 of them"),
    (AT_10, {"skip_first_frames": 40}, "37 of them lie in the span"),
    (AT_10, {"cap": 3, "multiple": 8}, "no frames are left"),
])  # fmt: skip
def test_nothing_left_says_why(times, wish, told):
    with pytest.raises(ValueError, match=told):
        plan_frames(times, FrameWish(**wish))


@pytest.mark.parametrize(("wish", "told"), [
    ({"every_nth": 0}, "select_every_nth=0"), ({"cap": -1}, "cap=-1"), ({"force_rate": float("nan")}, "force_rate=nan"),
    ({"start_seconds": -1.0}, "start_seconds=-1"), ({"duration_seconds": float("inf")}, "duration_seconds=inf"),
    ({"multiple": 0}, "multiple of 0"), ({"multiple": 4, "offset": 4}, "multiple of 4 plus 4"),
])  # fmt: skip
def test_wishes_that_are_none(wish, told):
    with pytest.raises(ValueError, match=told):
        FrameWish(**wish)
