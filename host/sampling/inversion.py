"""DDIM inversion in ComfyUI: a SAMPLER that walks SIGMAS upward, from latents without noise.

The maths is in samplers/inversion.py. What is ours: what depends on the step (context windows, methods with a
start and an end) is that of the sampling which the inversion undoes, and masks are left to that sampling.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import comfy.model_management
import comfy.samplers
import torch
from comfy.utils import model_trange

from ...samplers.inversion import InversionSettings, levels_up, step_up


class GuidedDenoiser:
    """What a guider says of noisy latents (`Denoiser` of the maths)."""

    def __init__(self, guider, model_options: dict, seed: int | None):
        self.guider, self.arguments = guider, {"model_options": model_options, "seed": seed}
        self.sampling = guider.inner_model.model_sampling
        self.hooks = HooksOnTheWay(guider, model_options["transformer_options"])
        self.denoised: torch.Tensor | None = None
        """Of the last call, for previews."""

    def direction(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        comfy.model_management.throw_exception_if_processing_interrupted()
        self.hooks.as_in_sampling(sigma)
        self.denoised = self.guider(x, sigma * x.new_ones(x.shape[0]), **self.arguments)
        return (x - self.denoised) / sigma

    def input_scale(self, sigma: torch.Tensor) -> torch.Tensor:
        return self.sampling.calculate_input(sigma, torch.ones_like(sigma))


class HooksOnTheWay:
    """Core's hooks, whose keyframes only ever go forward, at any noise level as sampling has them.

    to_network: transformer_options with the noise levels of that sampling.
    """

    def __init__(self, guider, to_network: Mapping):
        groups = [cond["hooks"] for conds in guider.conds.values() for cond in conds if cond.get("hooks")]
        hooks = {id(hook): hook for group in groups for hook in group.hooks}
        self.keyframes = [hook.hook_keyframe for hook in hooks.values() if not hook.hook_keyframe.is_empty()]
        self.model, self.to_network = guider.inner_model, to_network
        self.level: float | None = None

    def as_in_sampling(self, sigma: torch.Tensor) -> None:
        """Goes through the levels that a sampler meets down to this one."""
        if not self.keyframes or self.level == float(sigma):
            return
        self.level = float(sigma)
        before = [keyframes.strength for keyframes in self.keyframes]
        for keyframes in self.keyframes:
            keyframes.reset()
            for level in self.to_network["sample_sigmas"]:
                if level >= sigma:
                    keyframes.prepare_current_keyframe(level, self.to_network)
        if before != [keyframes.strength for keyframes in self.keyframes]:
            self.model.current_patcher.clear_cached_hook_weights()


class InversionSampler(comfy.samplers.Sampler):
    """Inverts latents. record: gets each level's x and the residual of the step to it."""

    def __init__(
        self, settings: InversionSettings, record: Callable[[torch.Tensor, float], None] | None = None
    ):
        self.settings, self.record = settings, record or (lambda x, residual: None)

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
        """latent_image (N, C, H, W) or (B, C, F, H, W), as what comes back; called by ComfyUI.

        Raises ValueError for noise, guidance and noise levels with which there is nothing to invert.
        """
        sampling = model_wrap.inner_model.model_sampling
        check_run(model_wrap, sampling, sigmas, noise)
        sigmas = levels_up(sigmas, lowest_level(sampling))
        options = extra_args["model_options"]
        to_network = {**options.get("transformer_options", {}), "sample_sigmas": sigmas.flip(0)}
        options = {**options, "transformer_options": to_network}
        denoiser = GuidedDenoiser(model_wrap, options, extra_args.get("seed"))
        x = sampling.noise_scaling(sigmas[0], torch.zeros_like(noise), latent_image)
        self.record(x, 0.0)
        steps = len(sigmas) - 1
        for i in model_trange(steps, disable=disable_pbar):
            x, residual = step_up(denoiser, x, sigmas[i], sigmas[i + 1], self.settings)
            self.record(x, residual)
            if callback is not None:
                callback(i, denoiser.denoised, x, steps)
        return sampling.inverse_noise_scaling(sigmas[-1], x)


def check_run(guider, sampling, sigmas: torch.Tensor, noise: torch.Tensor) -> None:
    """Raises ValueError for a run that is no inversion."""
    if noise.any():
        raise ValueError(
            "DDIM Inversion begins at the video itself, and noise was added to it; wire DisableNoise, or turn"
            " add_noise off."
        )
    if hasattr(guider, "cfg2") or (getattr(guider, "cfg", 1.0) != 1.0 and "negative" in guider.conds):
        raise ValueError(
            f"cfg={getattr(guider, 'cfg2', guider.cfg):g} must be 1 in an inversion, because guided steps"
            " cannot be undone; set cfg to 1 or use BasicGuider, and guide when you sample again."
        )
    if len(sigmas) < 2 or not bool((sigmas.diff() > 0).all()):
        raise ValueError(
            f"sigmas go from {float(sigmas[0]):g} to {float(sigmas[-1]):g} and must rise at every step of an"
            " inversion; wire FlipSigmas between the scheduler and the sampler, or use Invert Video."
        )
    if not carries(sampling, sigmas[-1]):
        raise ValueError(
            f"at sigma={float(sigmas[-1]):g} this model's latents hold nothing that a sampler could begin"
            " with; end at a lower noise level (for flows below 1), or use Invert Video."
        )


def lowest_level(sampling) -> torch.Tensor:
    """The lowest noise level that a MODEL's sampling knows."""
    return torch.as_tensor(sampling.sigma_min)


def carries(sampling, sigma: torch.Tensor) -> bool:
    """Whether latents of a noise level come into a sampler without noise as they left it."""
    one = torch.ones_like(sigma)[None]
    back = sampling.noise_scaling(sigma, torch.zeros_like(one), sampling.inverse_noise_scaling(sigma, one))
    return bool((back - one).abs().max() < 1e-3)
