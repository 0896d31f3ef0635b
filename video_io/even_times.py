"""Times that were rounded when they were stored, put back on the even grid that they come from.

Files keep times as whole numbers of a tick: 24 frames a second
become 0, 42, 83, 125 ms in MKV and WebM. Times are in seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

MILLISECOND = Fraction(1, 1000)
STANDARD_RATES = (
    *(
        Fraction(n)
        for n in (
            1,
            2,
            3,
            4,
            5,
            6,
            8,
            10,
            12,
            15,
            16,
            18,
            20,
            24,
            25,
            30,
            48,
            50,
            60,
            72,
            75,
            90,
            100,
            120,
            144,
            240,
        )
    ),
    Fraction(25, 2),
    *(Fraction(1000 * n, 1001) for n in (15, 24, 30, 48, 60, 120)),
)
"""Frames per second that are tried where a file does not say its rate, the likelier ones first."""


@dataclass(frozen=True)
class EvenGrid:
    """Times on a grid of `rate` places a second: the n-th frame is shown at place `places[n]`."""

    rate: Fraction
    places: np.ndarray  # ascending whole numbers, counted from the first time

    def seconds(self, places) -> np.ndarray:
        """Exact times of places, in seconds from the first time."""
        return np.asarray(places) * self.rate.denominator / self.rate.numerator


def exact_rate(rate: float) -> Fraction:
    """What a written rate means: 23.976, 29.97, 59.94 are n x 1000/1001 of NTSC; others are what they say."""
    ntsc = Fraction(1000 * round(rate * 1.001), 1001)
    return ntsc if abs(rate - ntsc) < 2e-6 * rate else Fraction(rate).limit_denominator(1_000_000)


def find_grid(times: Sequence[float], tick: Fraction, claimed: Iterable[Fraction | None]) -> EvenGrid | None:
    """The grid that ascending times lie on within their rounding, or None.

    tick: seconds that the file's times are whole numbers of. claimed: rates that the file names, tried first.
    A grid without gaps is preferred to one with gaps. Two roundings are allowed for: the tick's, and one to
    milliseconds in a file that this one may have been made from."""
    claimed = [rate for rate in claimed if rate]
    if len(times) < 2:
        return EvenGrid(claimed[0], np.zeros(1, np.int64)) if claimed else None
    past = np.asarray(times) - times[0]
    rates = list(dict.fromkeys([*claimed, *STANDARD_RATES]))
    mean = (len(times) - 1) / past[-1]
    near = sorted(
        (rate for rate in rates if abs(rate / mean - 1) < 0.5), key=lambda rate: rate not in STANDARD_RATES
    )
    for rate in near:
        grid = _fit(past, rate, tick)
        if grid is not None and grid.places[-1] == len(times) - 1:
            return grid
        if grid is not None and rate * tick == 1 and grid.places[-1] == len(times) and grid.places[1] == 2:
            return EvenGrid(
                rate, np.arange(1, len(times) + 1)
            )  # AVI: encoders leave the place behind the first frame empty
    return next(
        (grid for rate in rates if rate > mean and (grid := _fit(past, rate, tick)) is not None), None
    )


def _fit(past: np.ndarray, rate: Fraction, tick: Fraction) -> EvenGrid | None:
    """The grid of a rate, where times from 0 on lie on it."""
    rounding = float(MILLISECOND + (0 if (1 / rate / tick).denominator == 1 else tick)) * 1.001
    exact = past * rate.numerator / rate.denominator
    places = np.rint(exact)
    if rounding * rate >= 0.5 or np.ptp(exact - places) > rounding * rate or np.diff(places).min() < 1:
        return None
    return EvenGrid(rate, places.astype(np.int64))
