"""Rounded times find the grid that they come from, and times that lie on none are left alone."""

from fractions import Fraction

import numpy as np
import pytest
from zoetrope.video_io.even_times import MILLISECOND, exact_rate, find_grid

FRAMES = 211


def stored(rate, tick, rounded=round, frames=range(FRAMES), first=Fraction(0)):
    """Times of frames as a file keeps them: whole numbers of a tick."""
    return [float(rounded((first + n / rate) / tick) * tick) for n in frames]


@pytest.mark.parametrize(("written", "meant"), [
    (23.976, Fraction(24000, 1001)), (29.97, Fraction(30000, 1001)), (59.94, Fraction(60000, 1001)),
    (14.985, Fraction(15000, 1001)),
    (119.88, Fraction(120000, 1001)), (24.0, 24), (30.0, 30), (12.5, Fraction(25, 2)),
    (7.3, Fraction(73, 10)), (23.98, Fraction(1199, 50)),
])  # fmt: skip
def test_written_rates(written, meant):
    assert exact_rate(written) == meant


@pytest.mark.parametrize("rounded", [round, int])
@pytest.mark.parametrize("tick", [MILLISECOND, Fraction(1, 90000), Fraction(1, 600), Fraction(1, 12800)])
@pytest.mark.parametrize(
    "rate",
    [Fraction(24), Fraction(24000, 1001), Fraction(25), Fraction(30000, 1001), Fraction(60), Fraction(1)],
)
def test_a_constant_rate_is_found_without_being_named(rate, tick, rounded):
    for first in (Fraction(0), Fraction(133, 90)):
        grid = find_grid(stored(rate, tick, rounded, first=first), tick, [])
        assert grid.rate == rate and grid.places.tolist() == list(range(FRAMES))


def test_a_rate_that_is_named_counts_before_others_that_fit_as_well():
    """For 0.4 s nobody can tell 30 from 29.97 by milliseconds."""
    for rate in (Fraction(30), Fraction(30000, 1001)):
        assert find_grid(stored(rate, MILLISECOND, frames=range(13)), MILLISECOND, [None, rate]).rate == rate
    assert find_grid(stored(Fraction(73, 10), MILLISECOND), MILLISECOND, [Fraction(73, 10)]).rate == Fraction(
        73, 10
    )


def test_a_named_rate_that_is_wrong_is_not_believed():
    assert (
        find_grid(stored(Fraction(24), MILLISECOND), MILLISECOND, [Fraction(1000), Fraction(30)]).rate == 24
    )


def test_frames_that_were_left_out_leave_their_places_empty():
    """A screen recording at 60 whose encoder drops what does not change."""
    places = [0, 1, 2, 7, 8, 30, 31, 211]
    grid = find_grid(stored(Fraction(60), MILLISECOND, frames=places), MILLISECOND, [])
    assert grid.rate == 60 and grid.places.tolist() == places
    np.testing.assert_allclose(grid.seconds(grid.places), np.array(places) / 60, rtol=1e-12)


def test_one_left_out_in_a_file_of_coarse_times_is_no_rounding():
    """AVI counts frames: there is nothing between two of them."""
    times = [n / 25 for n in range(97) if n != 53]
    assert find_grid(times, Fraction(1, 25), [Fraction(25)]).places.tolist() == [
        n for n in range(97) if n != 53
    ]


def test_the_place_that_avi_encoders_leave_behind_the_first_frame():
    times = [n / 25 for n in range(97) if n != 1]
    assert find_grid(times, Fraction(1, 25), [Fraction(25)]).places.tolist() == list(range(1, 97))
    assert find_grid(times, MILLISECOND, [Fraction(25)]).places.tolist() == [0, *range(2, 97)]


def test_uneven_times_lie_on_no_grid():
    random = np.random.RandomState(0)
    assert (
        find_grid(np.cumsum(random.uniform(0.005, 0.1, FRAMES)).tolist(), MILLISECOND, [Fraction(30)]) is None
    )
    assert find_grid([0.0, 0.031, 0.069, 0.1], Fraction(1, 90000), [Fraction(30)]) is None


def test_one_frame_has_the_rate_that_is_named():
    assert find_grid([3.0], MILLISECOND, [None, Fraction(10)]).rate == 10
    assert find_grid([3.0], MILLISECOND, []) is None
