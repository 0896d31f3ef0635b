"""Scaled noise schedules as a MODEL's own sampling,
the reference's exact DDIM as a SAMPLER, and guidance rescale.

Source: see samplers/scaled_schedule.py, which has the mathematics; here it is wired to ComfyUI's samplers.
"""

from __future__ import annotations

import comfy.model_sampling
import comfy.samplers
import torch
from comfy.k_diffusion.sampling import default_noise_sampler
from comfy.model_sampling import EPS, V_PREDICTION, ModelSamplingDiscrete, reshape_sigma
from comfy.utils import model_trange

from ...samplers.scaled_schedule import ScaledSchedule, ddim_noise_levels, ddim_timesteps, rescale_guidance
from ...video_unets.systems import Sampling


class ScaledSampling(ModelSamplingDiscrete):
    """Core's discrete sampling with the sigmas of a scaled schedule; combined with a prediction below."""

    def __init__(self, model_config=None, sampling: Sampling = Sampling()):  # noqa: B008 (frozen)
        super().__init__(model_config)
        alphas_cumprod = 1.0 / (self._plain_sigmas(sampling) ** 2 + 1.0)
        self.schedule = ScaledSchedule.of(
            alphas_cumprod, sampling.base_scale or 1.0, sampling.zero_terminal_snr
        )
        self.set_sigmas(self.schedule.sigmas)
        # DynamiCrafter's sampler takes its first entry for the scale before it,
        # so its results keep the scale of the last step.
        self.keeps_scale_at_end = sampling.prediction == "v" and sampling.base_scale is not None

    def _plain_sigmas(self, sampling: Sampling) -> torch.Tensor:
        self._register_schedule(
            beta_schedule=sampling.beta_schedule,
            linear_start=sampling.linear_start,
            linear_end=sampling.linear_end,
        )
        return self.sigmas.double()

    def _at(self, sigma: torch.Tensor, like: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(
            reshape_sigma(value.to(like.dtype).to(like.device), like.ndim)
            for value in self.schedule.coefficients_at(sigma)
        )

    def calculate_input(self, sigma, noise):
        a, _, s = self._at(sigma, noise)
        return noise * (a * s)

    def noise_scaling(self, sigma, noise, latent_image, max_denoise=False):
        a, _, s = self._at(sigma, noise)
        return (noise / (a * s) if max_denoise else noise * reshape_sigma(sigma, noise.ndim)) + latent_image


class ScaledEps(ScaledSampling, EPS):
    """The network predicts the noise: x0 = x - S eps."""


class ScaledV(ScaledSampling, V_PREDICTION):
    """The network predicts v of the scaled signal, a n - b s x0: x0 = a^2 x - (b / s) v."""

    def calculate_denoised(self, sigma, model_output, model_input):
        a, b, s = self._at(sigma, model_output)
        return model_input * a**2 - model_output * (b / s)


def scaled_model_sampling(model_config, sampling: Sampling) -> ScaledSampling:
    """What a MODEL's `model_sampling` is for a system with a scaled or zero-terminal-SNR schedule."""
    return (ScaledV if sampling.prediction == "v" else ScaledEps)(model_config, sampling)


def schedule_of(model_sampling) -> ScaledSchedule:
    """The schedule of a MODEL's sampling; ValueError for models without discrete timesteps."""
    if isinstance(model_sampling, ScaledSampling):
        return model_sampling.schedule
    if not isinstance(model_sampling, ModelSamplingDiscrete):
        raise ValueError(
            "exact DDIM needs a model with discrete timesteps (SD1.x, SD2.x, video networks of Zoetrope),"
            f" this one has {type(model_sampling).__mro__[1].__name__}; use KSampler for it."
        )
    a = (model_sampling.sigmas.cpu().double() ** 2 + 1.0).rsqrt()
    return ScaledSchedule(a, torch.ones_like(a))


def ddim_sigmas(model, spacing: str, steps: int, denoise: float = 1.0) -> torch.Tensor:
    """The sigmas of the reference's DDIM timesteps, then 0:
    (steps + 1,), about that where steps do not divide the timesteps.

    denoise below 1: the last `steps` of a schedule of steps / denoise, as in KSampler. Raises ValueError for
    a denoise outside of (0, 1].
    """
    if not 0.0 < denoise <= 1.0:
        raise ValueError(f"denoise={denoise} must be above 0 and at most 1; 1 starts from noise alone.")
    sampling = model.get_model_object("model_sampling")
    schedule_of(sampling)
    timesteps = ddim_timesteps(spacing, int(steps / denoise), len(sampling.sigmas))
    if denoise < 1.0:
        timesteps = timesteps[-steps:]
    return torch.cat([sampling.sigmas.cpu()[timesteps], torch.zeros(1)])


@torch.no_grad()
def sample_ddim(
    model,
    x,
    sigmas,
    extra_args=None,
    callback=None,
    disable=None,
    noise_sampler=None,
    eta=1.0,
    reference_end=True,
):
    """DDIM for ComfyUI's SAMPLER: exact for scaled schedules at any eta; x (F, C, H, W) or video latents.

    reference_end: the last step ends at timestep 0 as in the reference, whose results keep a trace of noise,
    instead of at the denoised latents.
    """
    extra_args = {} if extra_args is None else extra_args
    sampling = model.inner_model.model_patcher.get_model_object("model_sampling")
    schedule = schedule_of(sampling)
    noise_sampler = noise_sampler or default_noise_sampler(x, seed=extra_args.get("seed"))
    ones = x.new_ones([x.shape[0]])
    for i in model_trange(len(sigmas) - 1, disable=disable):
        denoised = model(x, sigmas[i] * ones, **extra_args)
        if callback is not None:
            callback({"x": x, "i": i, "sigma": sigmas[i], "sigma_hat": sigmas[i], "denoised": denoised})
        ends = reference_end and sigmas[i + 1] == 0
        target = sampling.sigma_min.to(sigmas) if ends else sigmas[i + 1]
        if target == 0:
            x = denoised
            continue
        down, up = map(float, ddim_noise_levels(schedule, sigmas[i], target, eta))
        remaining = down * ((x - denoised) / sigmas[i])
        if eta > 0:
            remaining = remaining + up * noise_sampler(sigmas[i], target)
        if ends:
            a, _, s = map(float, schedule.coefficients_at(target))
            signal = (
                float(schedule.scale_at(sigmas[i])) if getattr(sampling, "keeps_scale_at_end", False) else s
            )
            x = a * (signal * denoised + s * remaining)
        else:
            x = denoised + remaining
    return x


class ReferenceDDIM(comfy.samplers.KSAMPLER):
    """SAMPLER of `sample_ddim` that starts as the reference: an empty latent becomes noise of standard
    deviation 1 at any timestep.
    """

    def sample(
        self,
        model_wrap,
        sigmas,
        extra_args,
        callback,
        noise,
        latent_image=None,
        denoise_mask=None,
        disable_pbar=False,
    ):
        if (latent_image is None or not latent_image.any()) and not self.max_denoise(model_wrap, sigmas):
            a, _, s = map(
                float, schedule_of(model_wrap.inner_model.model_sampling).coefficients_at(sigmas[0])
            )
            # Core multiplies by sigma below the highest one;
            # what the network then sees must be the noise itself.
            noise = noise / (a * s * float(sigmas[0]))
        return super().sample(
            model_wrap, sigmas, extra_args, callback, noise, latent_image, denoise_mask, disable_pbar
        )


def reference_ddim(eta: float, reference_end: bool = True) -> ReferenceDDIM:
    """A SAMPLER. eta 0 = deterministic, 1 = as published. Raises ValueError outside of 0..1."""
    if not 0.0 <= eta <= 1.0:
        raise ValueError(
            f"eta={eta} must be between 0 (no new noise) and 1 (as VideoCrafter and DynamiCrafter are"
            " sampled)."
        )
    return ReferenceDDIM(sample_ddim, {"eta": eta, "reference_end": reference_end})


def with_guidance_rescale(model, amount: float):
    """A clone of the MODEL whose guided prediction gets back part of the conditional one's standard
    deviation, over all frames together.

    amount 0 = off, 1 = all of it; works on what the network itself
    predicts, noise or v. Raises ValueError outside of 0..1.
    """
    if not 0.0 <= amount <= 1.0:
        raise ValueError(
            f"rescale={amount} must be between 0 (off) and 1 (all of it); DynamiCrafter uses 0.7."
        )
    model = model.clone()

    def rescaled(args):
        x, sigma, sampling = args["input"], args["sigma"], args["model"].model_sampling
        # x0 is linear in the network's output for every prediction: x0 = offset + factor * output.
        zero = torch.zeros_like(x)
        offset, factor = (
            sampling.calculate_denoised(sigma, zero, x),
            sampling.calculate_denoised(sigma, zero + 1.0, zero),
        )
        cond, uncond = ((args[name] - offset) / factor for name in ("cond_denoised", "uncond_denoised"))
        guided = uncond + args["cond_scale"] * (cond - uncond)
        return x - (offset + factor * rescale_guidance(guided, cond, amount))

    model.set_model_sampler_cfg_function(rescaled)
    return model
