"""The step of a noise level."""

import pytest
import torch
from zoetrope.host.sampling.steps import step_of

OPTIONS = {"transformer_options": {"sample_sigmas": torch.tensor([9.0, 5.0, 3.0, 0.0])}}


@pytest.mark.parametrize(
    ("sigma", "step"), [(9.5, 0), (9.0, 0), (7.0, 0), (5.0, 1), (3.01, 1), (3.0, 2), (0.5, 2)]
)
def test_a_step_lasts_from_its_noise_level_to_the_next(sigma, step):
    assert step_of(torch.tensor([sigma, sigma]), OPTIONS) == step


def test_noise_levels_of_half_precision_are_still_those_of_the_schedule():
    levels = torch.linspace(14.6146, 0.0292, 20)
    options = {"transformer_options": {"sample_sigmas": levels}}
    assert [step_of(level.half()[None], options) for level in levels] != list(range(20))
    assert [step_of(level[None].double() * (1 - 5e-5), options) for level in levels] == list(range(20))


def test_there_are_no_steps_outside_of_a_run():
    assert step_of(torch.tensor([5.0]), {}) == 0
