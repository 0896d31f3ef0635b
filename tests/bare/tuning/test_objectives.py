"""Losses are those of the literature, computed there from noise, velocity and clean latents themselves."""

import pytest
import torch
from zoetrope.tuning.objectives import AS_TRAINED, LOSSES, WEIGHTS, clip_loss


def case():
    generator = torch.Generator().manual_seed(7)
    clean, noise, wrong = torch.randn(3, 5, 4, 3, 2, generator=generator, dtype=torch.float64)
    return clean, noise, wrong, torch.tensor(1.7, dtype=torch.float64)


def test_the_loss_of_noise_is_the_error_of_the_noise():
    clean, noise, wrong, sigma = case()
    x = clean + sigma * noise
    predicted = (x - wrong) / sigma
    assert float(clip_loss(wrong, clean, sigma, "noise")) == pytest.approx(
        float((predicted - noise).square().mean())
    )


def test_the_loss_of_velocity_is_the_error_of_the_velocity():
    clean, noise, wrong, sigma = case()
    kept, added = 1 / (1 + sigma**2).sqrt(), sigma / (1 + sigma**2).sqrt()
    predicted_noise = noise + (clean - wrong) / sigma  # the same x, another share of it
    velocity, predicted = kept * noise - added * clean, kept * predicted_noise - added * wrong
    assert float(clip_loss(wrong, clean, sigma, "velocity")) == pytest.approx(
        float((predicted - velocity).square().mean())
    )


def test_the_loss_of_a_flow_is_the_error_of_its_velocity():
    clean, noise, wrong, _ = case()
    time = torch.tensor(0.3, dtype=torch.float64)
    x = (1 - time) * clean + time * noise
    predicted = (x - wrong) / time
    assert float(clip_loss(wrong, clean, time, "noise")) == pytest.approx(
        float((predicted - (noise - clean)).square().mean())
    )


def test_the_loss_of_edm_has_weight_one_for_the_network_itself():
    clean, noise, wrong, sigma = case()
    s = 0.5
    skip, out = s**2 / (sigma**2 + s**2), sigma * s / (sigma**2 + s**2).sqrt()
    x = clean + sigma * noise
    network, target = (wrong - skip * x) / out, (clean - skip * x) / out
    assert float(clip_loss(wrong, clean, sigma, "EDM", data=s)) == pytest.approx(
        float((network - target).square().mean())
    )


def test_the_debiased_loss_is_the_published_one():
    clean, noise, wrong, sigma = case()
    x = clean + sigma * noise
    predicted = (x - wrong) / sigma

    def debiased(e):
        return 2**0.5 * e - e[2]

    expected = (predicted - noise).square().mean() + 0.7 * (
        debiased(predicted) - debiased(noise)
    ).square().mean()
    assert float(clip_loss(wrong, clean, sigma, "noise", 0.7, 2)) == pytest.approx(float(expected))


def test_the_choices_are_the_losses_and_the_model_s_own():
    assert [AS_TRAINED, *WEIGHTS] == LOSSES
