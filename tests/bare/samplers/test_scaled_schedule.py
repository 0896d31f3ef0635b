"""Scaled schedules and DDIM on them, against the published update rule written out in its own coordinates."""

import pytest
import torch
from zoetrope.samplers.scaled_schedule import (
    DDIM_SPACINGS,
    SMALLEST_ALPHA,
    TURNING_POINT,
    ScaledSchedule,
    ddim_noise_levels,
    ddim_timesteps,
    rescale_guidance,
    scale_curve,
    zero_terminal_snr,
)

ALPHAS = torch.cumprod(1 - torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2, 0)
# Systems: alphas of the training, zero terminal SNR, base scale, whether the network predicts v
SYSTEMS = {
    "videocrafter1_t2v_512": (False, 1.0, False),
    "videocrafter2": (False, 0.7, False),
    "videocrafter1_t2v_1024": (False, 0.3, False),
    "dynamicrafter_512": (True, 0.7, True),
    "dynamicrafter_1024": (True, 0.3, True),
}


def denoiser(x0_and_noise):
    """A made-up network: reads x_t, answers with a smooth function of it,
    so that errors of any step show in the end.
    """
    return 0.6 * torch.tanh(0.7 * x0_and_noise) + 0.1


def reference_loop(noises, alphas, scales, timesteps, is_v, eta):
    """The published loop (ddim.py of both repositories):
    x_t, ascending tables indexed from the end, one noise a step.
    """
    x = noises[0]
    for i, t in enumerate(timesteps):
        t_prev = timesteps[i + 1] if i + 1 < len(timesteps) else 0
        a_t, a_prev, scale = alphas[t], alphas[t_prev], scales[t]
        # At the end DynamiCrafter's list of scales before a step repeats its first entry; VideoCrafter's
        # begins with scale_arr[0].
        scale_prev = scales[t] if is_v and i + 1 == len(timesteps) else scales[t_prev]
        sigma = eta * ((1 - a_prev) / (1 - a_t) * (1 - a_t / a_prev)).sqrt()
        out = denoiser(x)
        e = a_t.sqrt() * out + (1 - a_t).sqrt() * x if is_v else out
        x0 = (a_t.sqrt() * x - (1 - a_t).sqrt() * out) if is_v else (x - (1 - a_t).sqrt() * out) / a_t.sqrt()
        x = (
            a_prev.sqrt() * (x0 / scale * scale_prev)
            + (1 - a_prev - sigma**2).sqrt() * e
            + sigma * noises[i + 1]
        )
    return x


def our_loop(noises, schedule, timesteps, is_v, eta):
    """The same in k-diffusion's coordinates."""
    sigmas = schedule.sigmas
    a, _, s = schedule.coefficients_at(sigmas[timesteps[0]])
    x = noises[0] / (a * s)
    for i, t in enumerate(timesteps):
        last = i + 1 == len(timesteps)
        sigma, target = sigmas[t], sigmas[0 if last else timesteps[i + 1]]
        a, b, s = schedule.coefficients_at(sigma)
        out = denoiser(a * s * x)
        x0 = a**2 * x - b / s * out if is_v else x - sigma * out
        down, up = ddim_noise_levels(schedule, sigma, target, eta)
        remaining = down * (x - x0) / sigma + up * noises[i + 1]
        x = x0 * (s if is_v and last else 1.0) + remaining
    a, _, s = schedule.coefficients_at(sigmas[0])
    return a * s * x


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("steps", [5, 50])
@pytest.mark.parametrize("system", SYSTEMS)
def test_ddim_is_the_published_update(system, steps, eta):
    zero_snr, base_scale, is_v = SYSTEMS[system]
    alphas = zero_terminal_snr(ALPHAS) if zero_snr else ALPHAS
    timesteps = ddim_timesteps("uniform_trailing" if zero_snr else "uniform", steps)
    noises = torch.randn(
        steps + 1, 3, 4, 5, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(7)
    )
    wanted = reference_loop(noises, alphas, scale_curve(base_scale), timesteps, is_v, eta)
    ours = our_loop(noises, ScaledSchedule.of(ALPHAS, base_scale, zero_snr), timesteps, is_v, eta)
    torch.testing.assert_close(ours, wanted, atol=1e-8, rtol=1e-8)


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_noise_of_a_step_is_what_the_next_sigma_asks_for(system):
    zero_snr, base_scale, _ = SYSTEMS[system]
    schedule = ScaledSchedule.of(ALPHAS, base_scale, zero_snr)
    for t, t_next in ((999, 979), (401, 381), (381, 361), (21, 1)):
        sigma, sigma_next = schedule.sigmas[t], schedule.sigmas[t_next]
        assert ddim_noise_levels(schedule, sigma, sigma_next, 0.0) == (sigma_next, 0.0)
        down, up = ddim_noise_levels(schedule, sigma, sigma_next, 1.0)
        torch.testing.assert_close(down**2 + up**2, sigma_next**2)


def ancestral(sigma, sigma_next):
    return sigma_next * (1 - (sigma_next / sigma) ** 2).sqrt()


@pytest.mark.parametrize(("base_scale", "largest"), [(1.0, 0.0), (0.7, 0.14), (0.3, 0.51)])
def test_new_noise_differs_from_an_ancestral_sampler_s_where_the_scale_falls(base_scale, largest):
    schedule = ScaledSchedule.of(ALPHAS, base_scale)
    steps = ddim_timesteps("uniform", 50)
    pairs = [(schedule.sigmas[t], schedule.sigmas[p]) for t, p in zip(steps, steps[1:], strict=False)]
    ratios = [ancestral(*pair) / ddim_noise_levels(schedule, *pair, 1.0)[1] for pair in pairs]
    differences = [abs(float(ratio) - 1) for ratio in ratios]
    assert max(differences) == pytest.approx(largest, abs=0.01)
    above = [d for t, d in zip(steps, differences, strict=False) if t > TURNING_POINT + 20]
    assert max(above) < 1e-6


@pytest.mark.parametrize("base_scale", [0.3, 0.7, 1.0])
def test_scale_falls_and_stays(base_scale):
    curve = scale_curve(base_scale)
    assert curve.shape == (1000,)
    assert curve[0] == 1
    torch.testing.assert_close(
        curve[TURNING_POINT - 1 :], torch.full((601,), base_scale, dtype=torch.float64)
    )
    assert (curve.diff() <= 0).all()


@pytest.mark.parametrize("base_scale", [0.0, -0.5, 1.2])
def test_scales_outside_of_their_range_are_refused(base_scale):
    with pytest.raises(ValueError, match="must be above 0 and at most 1"):
        scale_curve(base_scale)


def test_zero_terminal_snr_keeps_the_start_and_ends_without_signal():
    alphas = zero_terminal_snr(ALPHAS)
    assert alphas[0] == pytest.approx(float(ALPHAS[0]))
    assert alphas[-1] == SMALLEST_ALPHA
    assert (alphas.diff() < 0).all()


@pytest.mark.parametrize("base_scale", [0.3, 1.0])
def test_coefficients_between_timesteps(base_scale):
    schedule = ScaledSchedule.of(ALPHAS, base_scale)
    sigma = schedule.sigmas[:-1] * 0.5 + schedule.sigmas[1:] * 0.5
    a, b, s = schedule.coefficients_at(sigma)
    torch.testing.assert_close(a**2 + b**2, torch.ones_like(a))
    torch.testing.assert_close(b / (a * s), sigma)
    assert ((s <= schedule.s[:-1]) & (s >= schedule.s[1:])).all()
    exact = schedule.coefficients_at(schedule.sigmas)
    torch.testing.assert_close(exact[0], schedule.a, atol=1e-9, rtol=0)
    torch.testing.assert_close(exact[2], schedule.s, atol=1e-9, rtol=0)
    assert schedule.scale_at(torch.tensor([0.0, 1e9])).tolist() == [1.0, pytest.approx(base_scale)]


def test_timesteps_of_the_reference():
    assert ddim_timesteps("uniform", 50) == list(range(981, 0, -20))
    assert ddim_timesteps("uniform_trailing", 50) == list(range(999, 0, -20))
    assert ddim_timesteps("uniform_trailing", 30)[:4] == [999, 966, 932, 899]
    assert len(ddim_timesteps("uniform", 30)) == 31  # as the reference: every 33rd of 1000


@pytest.mark.parametrize("spacing", DDIM_SPACINGS)
@pytest.mark.parametrize("steps", [1, 3, 7, 999, 1000])
def test_timesteps_descend_and_exist(spacing, steps):
    timesteps = ddim_timesteps(spacing, steps)
    assert timesteps == sorted(set(timesteps), reverse=True)
    assert 0 <= timesteps[-1] <= timesteps[0] <= 999


@pytest.mark.parametrize(("spacing", "steps", "message"), [
    ("uniform", 0, "steps=0 must be between 1 and 1000"),
    ("uniform", 1001, "steps=1001 must be"),
    ("leading", 5, "spacing='leading' is not known; choose one of uniform, uniform_trailing"),
])  # fmt: skip
def test_bad_timesteps_are_refused(spacing, steps, message):
    with pytest.raises(ValueError, match=message):
        ddim_timesteps(spacing, steps)


def test_rescaled_guidance_has_the_spread_of_the_conditional_prediction():
    cond, guided = torch.randn(6, 3, 5, 2), torch.randn(6, 3, 5, 2) * 4 + 1
    assert torch.equal(rescale_guidance(guided, cond, 0.0), guided)
    torch.testing.assert_close(rescale_guidance(guided, cond, 1.0).std(), cond.std())
    halfway = rescale_guidance(guided, cond, 0.5)
    torch.testing.assert_close(halfway, 0.5 * guided + 0.5 * rescale_guidance(guided, cond, 1.0))
