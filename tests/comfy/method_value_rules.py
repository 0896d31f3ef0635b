"""Rules for values over frames, place and steps, for every method on every kind of checkpoint."""

from __future__ import annotations

import pytest
import torch

from ...frame_values import FrameValues, frame_values
from ...host.injection.block_factors import block_names
from ...host.injection.places import places_of
from .method_rules import Case, F, H, W, same


def values_that_are_equal_everywhere_are_the_number(case: Case) -> None:
    """A list, a mask and a factor of every block go other ways through each layer than a number does."""
    want = case.sample(case.moving(strength=0.5))
    mask = torch.full((F, 3 * H, 2 * W), 0.5)
    same(case.sample(case.moving(strength=frame_values([0.5] * F))), want)
    same(case.sample(case.moving(strength=frame_values([1.0], mask))), want)
    places = places_of(case.plain.model.diffusion_model)
    points = case.method.acts(case.trained().patcher.model, places)
    if all(point.startswith(tuple(block_names(places))) for point in points):
        halves = FrameValues(frame_values([1.0]).keys, dict.fromkeys(("down", "mid", "up"), 0.5))
        same(case.sample(case.moving(strength=halves)), want)


def a_frame_whose_strength_is_0_is_a_plain_one(case: Case) -> None:
    """Where nothing but the method's layers lets frames see each other."""
    if case.method.joint_norms(case.trained().config):
        return
    moving = case.moving(strength=frame_values([0.0] + [1.0] * (F - 1)))
    got, plain = case.sample(moving), case.picture()
    same(got[:1], plain[:1])
    assert not torch.allclose(got[1:], plain[1:], atol=1e-3)


def keys_of_its_attention_are_scaled_or_that_is_refused(case: Case) -> None:
    if not case.method.attends:
        with pytest.raises(ValueError, match="attention_scale must be 1 .* no attention over frames"):
            case.moving(attention_scale=1.3)
        return
    plain, scaled = case.video(), case.sample(case.moving(attention_scale=3.0))
    assert torch.isfinite(scaled).all()
    assert not torch.equal(scaled, plain)
    same(case.sample(case.moving(attention_scale=frame_values([3.0] * F))), scaled)
    same(case.sample(case.moving(attention_scale=frame_values([3.0], torch.ones(1, H, W)))), scaled)


VALUE_RULES = [
    values_that_are_equal_everywhere_are_the_number,
    a_frame_whose_strength_is_0_is_a_plain_one,
    keys_of_its_attention_are_scaled_or_that_is_refused,
]
