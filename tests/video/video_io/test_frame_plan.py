"""Which frames are taken: span, rate, skip, every n-th,
cap and the models' rules for the number of frames.
"""

from fractions import Fraction

import numpy as np
import pytest
from zoetrope.video_io.even_times import MILLISECOND
from zoetrope.video_io.frame_plan import FrameRequest, plan_frames, plan_span

AT_10 = [i / 10 for i in range(37)]


@pytest.mark.parametrize(("wanted", "want"), [
    ({}, list(range(37))),
    ({"start_seconds": 1.0}, list(range(10, 37))),
    ({"start_seconds": 1.0, "duration_seconds": 0.5}, [10, 11, 12, 13, 14]),
    ({"duration_seconds": 0.05}, [0]),
    ({"start_seconds": 0.31, "duration_seconds": 0.05}, [3]),
    ({"skip_first_frames": 30}, list(range(30, 37))),
    ({"select_every_nth": 10}, [0, 10, 20, 30]),
    ({"skip_first_frames": 5, "select_every_nth": 10, "frame_cap": 2}, [5, 15]),
    ({"frame_cap": 11, "multiple": 4, "offset": 1}, list(range(9))),
    ({"multiple": 8, "offset": 1}, list(range(33))),
    ({"multiple": 16}, list(range(32))),
    ({"force_rate": 5.0, "frame_cap": 4}, [0, 2, 4, 6]),
    ({"force_rate": 20.0, "frame_cap": 5}, [0, 0, 1, 1, 2]),
    ({"force_rate": 10.0}, list(range(37))),
    ({"force_rate": 8.0, "start_seconds": 1.0, "duration_seconds": 1.0}, [10, 11, 12, 14, 15, 16, 17, 19]),
])  # fmt: skip
def test_frames_taken(wanted, want):
    assert plan_frames(AT_10, FrameRequest(**wanted)) == want


def test_a_forced_rate_shows_what_is_shown_at_its_time():
    """A variable rate: the third frame stays for a second."""
    times = [0.0, 0.1, 0.2, 1.2, 1.3]
    assert plan_frames(times, FrameRequest(force_rate=5.0), end=1.4) == [0, 2, 2, 2, 2, 2, 3]


TICKS = {
    "MKV, WebM, FLV": (MILLISECOND, round), "cut to ms": (MILLISECOND, int), "TS": (Fraction(1, 90000),
    round), "MOV": (Fraction(1, 600), round),
}  # fmt: skip
NTSC = Fraction(1000, 1001)
FILM, TV = 24 * NTSC, 30 * NTSC


def stored(rate, tick, rounded, frames=307):
    return [float(rounded(n / rate / tick) * tick) for n in range(frames)]


@pytest.mark.parametrize("tick", TICKS.values(), ids=TICKS)
@pytest.mark.parametrize(("source", "asked", "first"), [
    (Fraction(24), 24.0, range(300)), (FILM, 23.976, range(300)), (TV, 29.97, range(300)), (Fraction(25),
    25.0, range(300)),
    (Fraction(60), 30.0, range(0, 300, 2)), (2 * TV, 29.97, range(0, 300, 2)), (Fraction(30),
    10.0, range(0, 300, 3)),
    (Fraction(24), 1.0, range(0, 300, 24)), (Fraction(24), 48.0, [n // 2 for n in range(600)]),
    (TV, 59.94, [n // 2 for n in range(600)]), (Fraction(8), 24.0, [n // 3 for n in range(900)]),
    (Fraction(60), 24.0, [n + k for n in range(0, 300, 5) for k in (0, 2)]),
    (Fraction(24), 60.0, [n + k for n in range(0, 300, 2) for k in (0, 0, 1, 1, 1)]),
])  # fmt: skip
def test_rounded_times_give_even_steps(source, asked, first, tick):
    """Every frame once, every other one, each twice, 3:2: one pattern along the whole file."""
    taken = plan_frames(stored(source, *tick), FrameRequest(force_rate=asked))
    assert taken[: len(first)] == list(first)


@pytest.mark.parametrize("tick", TICKS.values(), ids=TICKS)
@pytest.mark.parametrize(("source", "asked", "exact"), [
    (Fraction(24), 25.0, Fraction(25)), (Fraction(25), 24.0, Fraction(24)), (FILM, 24.0, Fraction(24)),
    (Fraction(24), 23.976, FILM),
    (Fraction(30), 29.97, TV), (TV, 24.0, Fraction(24)), (Fraction(50), 24.0, Fraction(24)), (Fraction(24),
    30.0, Fraction(30)),
])  # fmt: skip
def test_a_forced_rate_takes_the_nearest_frame(source, asked, exact, tick):
    """Exact fractions say which frame is nearest to each output time; at a tie both are."""
    times, start = stored(source, *tick), Fraction(1, 4)
    for begin in (Fraction(0), start):
        taken = plan_frames(times, FrameRequest(force_rate=asked, start_seconds=float(begin)))
        assert len(taken) == np.ceil(float((307 / source - begin) * exact) - 0.05)
        for index, number in enumerate(taken):
            place = min((begin + index / exact) * source, Fraction(306))  # counted in frames of the source
            assert abs(number - place) <= Fraction(1, 2), (index, number)


@pytest.mark.parametrize(
    ("source", "asked", "frames"),
    [(60, 30.0, 61), (24, 12.0, 25), (30, 10.0, 31), (24, 24.0, 307), (25, 24.0, 26)],
)
def test_the_last_frame_is_not_lost(source, asked, frames):
    for tick in TICKS.values():
        times = stored(Fraction(source), *tick, frames)
        assert plan_frames(times, FrameRequest(force_rate=asked))[-1] == frames - 1


def test_a_picture_that_is_held_is_not_replaced_early():
    """A slide of a screen recording stays for ten seconds; what comes after it is said after that."""
    taken = plan_frames([0.0, 10.0, 20.0], FrameRequest(force_rate=4.0), end=21.0)
    assert taken == [0] * 40 + [1] * 40 + [2] * 4
    late = FrameRequest(force_rate=4.0, start_seconds=9.0, frame_cap=6)
    assert plan_frames([0.0, 10.0, 20.0], late, end=21.0) == [0, 0, 0, 0, 1, 1]


def test_a_span_shorter_than_a_step_is_one_frame():
    times = stored(Fraction(24), MILLISECOND, round)
    assert plan_frames(times, FrameRequest(force_rate=8.0, start_seconds=1.0, duration_seconds=0.01)) == [24]


VARYING = [0.0, 0.1, 0.2, 1.2, 1.3, 3.3]  # until 3.7


@pytest.mark.parametrize(("wanted", "numbers", "begin", "end"), [
    ({}, range(6), 0, 3.7),
    ({"frame_cap": 2}, [0, 1], 0, 0.2),
    ({"skip_first_frames": 2, "frame_cap": 2}, [2, 3], 0.2, 1.3),
    ({"skip_first_frames": 5}, [5], 3.3, 3.7),
    ({"select_every_nth": 2}, [0, 2, 4], 0, 3.7),
    ({"select_every_nth": 2, "frame_cap": 2}, [0, 2], 0, 1.3),
    ({"start_seconds": 0.2, "duration_seconds": 2.0}, [2, 3, 4], 0.2, 2.2),
    ({"start_seconds": 2.0, "duration_seconds": 0.5}, [4], 2.0, 2.5),
    ({"multiple": 4, "offset": 1}, range(5), 0, 3.3),
])  # fmt: skip
def test_frames_of_varying_length_last_as_long_as_their_span(wanted, numbers, begin, end):
    plan = plan_span(VARYING, FrameRequest(**wanted), 3.7)
    assert plan.numbers == list(numbers) and plan.varies
    assert (plan.begin, plan.end) == pytest.approx((begin, end))
    assert plan.fps == pytest.approx(len(numbers) / (end - begin))


@pytest.mark.parametrize(("wanted", "begin", "seconds"), [
    ({"force_rate": 5.0, "start_seconds": 0.5, "duration_seconds": 2.0}, 0.5, 2.0),
    ({"force_rate": 5.0, "skip_first_frames": 3, "frame_cap": 4}, 0.6, 0.8),
    ({"force_rate": 5.0, "select_every_nth": 2, "frame_cap": 4}, 0.0, 1.6),
])  # fmt: skip
def test_a_forced_rate_stands_for_its_own_steps(wanted, begin, seconds):
    plan = plan_span(VARYING, FrameRequest(**wanted), 3.7)
    assert (plan.begin, plan.end - plan.begin) == pytest.approx((begin, seconds)) and not plan.varies
    assert plan.fps == 5.0 / wanted.get("select_every_nth", 1)


@pytest.mark.parametrize("tick", TICKS.values(), ids=TICKS)
@pytest.mark.parametrize("rate", [FILM, Fraction(24), TV, Fraction(25), 2 * TV])
def test_a_constant_rate_is_exact_whatever_is_taken(rate, tick):
    times = stored(rate, *tick)
    spans = {}, {"start_seconds": 1.01, "duration_seconds": 2.0}
    for wanted in (
        *spans,
        {"skip_first_frames": 5, "frame_cap": 7},
        {"select_every_nth": 3},
        {"frame_cap": 1},
    ):
        of = wanted.get("select_every_nth", 1)
        plan = plan_span(times, FrameRequest(**wanted), times[-1] + float(1 / rate), tick[0])
        assert plan.fps == float(rate / of) and not plan.varies
        assert plan.end - plan.begin == pytest.approx(len(plan.numbers) * of / rate)


@pytest.mark.parametrize("lost", [[97], [1], [40, 41]])
def test_a_frame_that_a_cut_lost_does_not_change_the_rate(lost):
    """Copied parts of a file lack a frame here and there;
    the sound is at most these two frames off either way.
    """
    times = [n / 25 for n in range(211) if n not in lost]
    plan = plan_span(times, FrameRequest(), 211 / 25)
    assert plan.fps == 25 and not plan.varies and plan.end == pytest.approx((211 - len(lost)) / 25)
    many = [n / 25 for n in range(211) if n not in (30, 60, 90)]
    assert plan_span(many, FrameRequest(), 211 / 25).fps == pytest.approx(208 / 211 * 25)


def test_a_last_frame_that_stays_is_counted():
    plan = plan_span([0.0, 0.04, 0.08], FrameRequest(), 2.08)
    assert plan.varies and plan.fps == pytest.approx(3 / 2.08)


def test_times_that_do_not_begin_at_zero():
    times = [5 + t for t in AT_10]
    assert plan_frames(times, FrameRequest(start_seconds=1.0, frame_cap=2)) == [10, 11]


def test_one_frame():
    assert plan_frames([0.0], FrameRequest()) == [0]
    assert plan_frames([0.0], FrameRequest(force_rate=8.0), end=0.5) == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("times", "wanted", "told"),
    [
        ([], {}, "has no frames"),
        (
            AT_10,
            {"start_seconds": 9.0},
            "no frames are left: the video has 37 frames and lasts 3.70 s, 0 of them",
        ),
        (AT_10, {"skip_first_frames": 40}, "37 of them lie in the span"),
        (AT_10, {"frame_cap": 3, "multiple": 8}, "no frames are left"),
    ],
)
def test_nothing_left_says_why(times, wanted, told):
    with pytest.raises(ValueError, match=told):
        plan_frames(times, FrameRequest(**wanted))


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ({"select_every_nth": 0}, "select_every_nth=0"),
        ({"frame_cap": -1}, "frame_cap=-1"),
        ({"force_rate": float("nan")}, "force_rate=nan"),
        ({"start_seconds": -1.0}, "start_seconds=-1"),
        ({"duration_seconds": float("inf")}, "duration_seconds=inf"),
        ({"multiple": 0}, "multiple of 0"),
        ({"multiple": 4, "offset": 4}, "multiple of 4 plus 4"),
    ],
)
def test_requests_that_are_none(wanted, told):
    with pytest.raises(ValueError, match=told):
        FrameRequest(**wanted)
