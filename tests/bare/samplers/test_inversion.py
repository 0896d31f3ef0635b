"""Steps up and down with denoisers whose answers are known."""

import math

import pytest
import torch
from zoetrope.samplers.inversion import InversionSettings, check_error, levels_up, step_down, step_up

X = torch.tensor([[1.0, -2.0], [3.0, 0.5]])
LOW, HIGH = torch.tensor(0.5), torch.tensor(0.75)


class Gaussian:
    """The best answer for latents of unit variance: denoised = x / (1 + sigma^2)."""

    def __init__(self):
        self.calls = []

    def direction(self, x, sigma):
        self.calls.append(float(sigma))
        return x * sigma / (1 + sigma**2)

    def input_scale(self, sigma):
        return 1 / (1 + sigma**2).sqrt()


def slope(sigma):
    return sigma / (1 + sigma**2)


def test_each_mode_takes_d_where_it_says():
    def up(mode, **more):
        return step_up(Gaussian(), X, LOW, HIGH, InversionSettings(mode, **more))[0]

    step = HIGH - LOW
    torch.testing.assert_close(up("euler"), X * (1 + step * slope(LOW)))
    seen = math.sqrt((1 + 0.75**2) / (1 + 0.5**2))  # x of the lower level as the network sees it
    torch.testing.assert_close(up("diffusers"), X * (1 + step * seen * slope(HIGH)))
    solved = up("fixed point", iterations=50, tolerance=0.0)
    torch.testing.assert_close(solved, X / (1 - step * slope(HIGH)))
    torch.testing.assert_close(step_down(Gaussian(), solved, HIGH, LOW), X)


def test_a_fixed_point_ends_at_its_tolerance_and_tells_the_last_correction():
    denoiser = Gaussian()
    _, residual = step_up(denoiser, X, LOW, HIGH, InversionSettings(iterations=50, tolerance=1e-3))
    rate = float((HIGH - LOW) * slope(HIGH))
    begin = 1 + rate * math.sqrt((1 + 0.75**2) / (1 + 0.5**2))
    factors = [begin]
    while len(factors) < 2 or abs(factors[-1] - factors[-2]) > 1e-3:
        factors.append(1 + rate * factors[-1])
    assert len(denoiser.calls) == len(factors)
    assert residual == pytest.approx(abs(factors[-1] - factors[-2]), rel=1e-3)


def test_where_corrections_lead_away_the_best_guess_stays():
    class Wild(Gaussian):
        def direction(self, x, sigma):
            return -6 * x

    step = float(HIGH - LOW)
    result, residual = step_up(Wild(), X, LOW, HIGH, InversionSettings(iterations=9, tolerance=0.0))
    first = X * (1 - 6 * step * math.sqrt((1 + 0.75**2) / (1 + 0.5**2)))
    second = X - step * 6 * first
    assert residual == pytest.approx(float((second - first).norm() / X.norm()))
    torch.testing.assert_close(result, first)


def test_levels_below_the_lowest_become_it():
    lowest = torch.tensor(0.25)
    assert levels_up(torch.tensor([1e-4, 0.1, 0.5]), lowest).tolist() == [0.25, 0.5]
    assert levels_up(torch.tensor([0.3, 0.5]), lowest).tolist() == pytest.approx([0.3, 0.5])


def test_no_numbers_are_refused():
    with pytest.raises(ValueError, match="no number .NaN. at sigma=0.75"):
        step_up(Gaussian(), X * float("inf"), LOW, HIGH, InversionSettings("euler"))


def test_an_error_above_the_largest_ends_the_run():
    assert check_error(0.01, 0.05) == "the video comes back with a relative error of 1.0e-02"
    for error in (0.06, float("nan")):
        with pytest.raises(ValueError, match="more than largest_error=0.05; take more steps"):
            check_error(error, 0.05)


def test_settings_that_make_no_sense_are_refused():
    for settings, told in (
        ({"mode": "back"}, "mode='back' must be one of fixed point, diffusers, euler"),
        ({"iterations": 0}, "iterations=0 must be at least 1; choose mode='diffusers'"),
        ({"tolerance": -0.1}, "tolerance=-0.1 must be 0 or more"),
        ({"tolerance": float("nan")}, "tolerance=nan must be 0 or more"),
    ):
        with pytest.raises(ValueError, match=told):
            InversionSettings(**settings)
