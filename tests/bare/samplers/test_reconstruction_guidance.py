"""Reconstruction guidance on a toy: the paper's update, against numeric gradients."""

import pytest
import torch
from zoetrope.samplers.reconstruction_guidance import KnownLatents, ReconstructionSettings, guided

F, C, H, W = 5, 2, 3, 2


def seeded(*shape, seed=1):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def toy(z):
    """A network in which frames look at each other."""
    mixed = torch.einsum("fg,gchw->fchw", seeded(F, F, seed=3), z)
    return torch.tanh(mixed) + 0.1 * z


def mask_of(known):
    mask = torch.ones(F, C, H, W, dtype=torch.float64)
    mask[known] = 0
    return mask


@pytest.mark.parametrize("known", [[0, 1], [0, 4], [2]], ids=["goes on", "between", "around"])
def test_the_update_is_the_papers(known):
    z, clean, alpha, weight, step = seeded(F, C, H, W), seeded(F, C, H, W, seed=2), 0.7, 3.0, 1e-5
    mask, point = mask_of(known), z.clone().requires_grad_()
    predicted = toy(point)
    error = KnownLatents(clean, mask).error(predicted, mask)
    assert float(error.detach()) == pytest.approx(float((clean - toy(z))[known].square().sum()))
    (gradient,) = torch.autograd.grad(error, point)
    moved = guided(toy(z), gradient, mask, weight, torch.full_like(z, alpha))
    made = [frame for frame in range(F) if frame not in known]
    assert torch.equal(moved[known], toy(z)[known])
    for frame, channel, row, column in [(made[0], 0, 1, 1), (made[-1], 1, 2, 0)]:
        shift = torch.zeros_like(z)
        shift[frame, channel, row, column] = step
        above, below = ((clean - toy(z + s))[known].square().sum() for s in (shift, -shift))
        expected = toy(z)[frame, channel, row, column] - weight * alpha / 2 * (above - below) / (2 * step)
        assert float(moved[frame, channel, row, column]) == pytest.approx(float(expected), rel=1e-7)


def test_a_step_against_the_gradient_makes_known_frames_more_right():
    z, clean, mask = seeded(F, C, H, W), seeded(F, C, H, W, seed=2), mask_of([0, 1])
    known, point = KnownLatents(clean, mask), z.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(known.error(toy(point), mask), point)
    assert known.error(toy(z - 1e-3 * mask * gradient), mask) < known.error(toy(z), mask)


def test_what_is_known_in_part_counts_in_part():
    clean, half = seeded(F, C, H, W), torch.full((F, C, H, W), 0.5, dtype=torch.float64)
    known = KnownLatents(clean, half)
    assert float(known.error(torch.zeros_like(clean), half)) == pytest.approx(
        0.5 * float(clean.square().sum())
    )


@pytest.mark.parametrize(
    "settings, told",
    [
        ({"weight": -1.0}, "weight=-1.0 must be a finite number"),
        ({"weight": float("nan")}, "weight=nan"),
        ({"start_percent": 0.6, "end_percent": 0.5}, "start_percent=0.6 must not be larger"),
        ({"end_percent": 1.5}, "both 0..1"),
    ],
)
def test_settings_out_of_range(settings, told):
    with pytest.raises(ValueError, match=told):
        ReconstructionSettings(**settings)
