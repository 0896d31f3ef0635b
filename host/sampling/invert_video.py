"""A video inverted in one go, with its way up and a report of how well it comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import comfy.model_management
import comfy.sample
import comfy.samplers
import comfy.utils
import latent_preview
import torch

from ...memory import check_memory
from ...samplers.inversion import FIXED_POINT, InversionSettings, check_error, levels_up, relative_error
from .inversion import InversionSampler, carries, lowest_level

NEARLY_ONE = 0.9999
"""Highest noise level of flows, whose latents at 1 carry nothing into a sampler."""


@dataclass(frozen=True)
class Inversion:
    """The way of a video up to its noise."""

    trajectory: torch.Tensor
    """(S + 1, ...) on the CPU, from the video to the noise, as the network's sampling has it."""
    sigmas: torch.Tensor
    """(S + 1,) falling, with which sampling goes the way back."""
    positive: list
    """The prompt of the video, CONDITIONING."""


class PromptGuider(comfy.samplers.CFGGuider):
    """A MODEL with one prompt and no guidance, whatever guides the MODEL otherwise.

    The prompt is the negative one too, for functions that look for one: guidance between equal prompts is
    none.
    """

    def __init__(self, model, positive: list):
        super().__init__(model)
        self.model_options = {k: v for k, v in self.model_options.items() if k != "sampler_cfg_function"}
        self.set_conds(positive, positive)


def invert_video(
    model, positive: list, latent: Mapping, sigmas: torch.Tensor, settings: InversionSettings,
    largest_error: float = 0.0,
) -> tuple[dict, Inversion, torch.Tensor, str]:  # fmt: skip
    """The LATENT to sample from, its way, the sigmas for it (S + 1,), and a report.

    latent: samples (N, C, H, W) or (B, C, F, H, W) of the video. sigmas (S + 1,): falling, as for sampling.
    largest_error: of the video sampled back, relative to the video; 0 = it is not sampled back. Raises
    ValueError above it, and for sigmas that do not fall.
    """
    sigmas = _usable_sigmas(model, sigmas)
    samples = comfy.sample.fix_empty_latent_channels(model, latent["samples"]).float()
    levels, residuals = [], []
    check_memory(
        (len(sigmas) + 2) * samples.nbytes, f"{len(sigmas)} noise levels of the latents", "take fewer steps"
    )

    def record(x: torch.Tensor, residual: float) -> None:
        levels.append(x.cpu())
        residuals.append(residual)

    guider = PromptGuider(model, positive)
    inverted = _sample(guider, samples, InversionSampler(settings, record), sigmas.flip(0))
    report = _report(settings, sigmas, residuals)
    if largest_error:
        back = _sample(guider, inverted, comfy.samplers.sampler_object("euler"), sigmas)
        report += "\n" + check_error(relative_error(back.cpu(), samples.cpu()), largest_error)
    result = {key: value for key, value in latent.items() if key != "noise_mask"} | {"samples": inverted}
    return result, Inversion(torch.stack(levels), sigmas, positive), sigmas, report


def _sample(guider, samples: torch.Tensor, sampler, sigmas: torch.Tensor) -> torch.Tensor:
    callback = latent_preview.prepare_callback(guider.model_patcher, len(sigmas) - 1)
    disable = not comfy.utils.PROGRESS_BAR_ENABLED
    result = guider.sample(
        torch.zeros_like(samples), samples, sampler, sigmas, callback=callback, disable_pbar=disable, seed=0
    )
    return result.to(comfy.model_management.intermediate_device())


def _usable_sigmas(model, sigmas: torch.Tensor) -> torch.Tensor:
    """Raises ValueError for sigmas that do not fall; the highest of a flow is lowered a little."""
    if len(sigmas) < 2 or not bool((sigmas.diff() < 0).all()) or float(sigmas[-1]) < 0:
        shown = ", ".join(f"{float(sigma):g}" for sigma in sigmas[:3])
        raise ValueError(
            f"sigmas ({shown}{', ...' if len(sigmas) > 3 else ''}) must be at least two that fall, as for"
            " sampling; wire those of a scheduler, without FlipSigmas."
        )
    sampling = model.get_model_object("model_sampling")
    sigmas = levels_up(sigmas.float().cpu().flip(0), lowest_level(sampling).cpu())
    if not carries(sampling, sigmas[-1]):
        sigmas[-1] = NEARLY_ONE
    return sigmas.flip(0)


def _report(settings: InversionSettings, sigmas: torch.Tensor, residuals: list[float]) -> str:
    told = f"{len(sigmas) - 1} steps up to sigma {float(sigmas[0]):g}, {settings.mode}"
    if settings.mode == FIXED_POINT:
        worst = max(range(len(residuals)), key=residuals.__getitem__)
        level = float(sigmas.flip(0)[worst])
        told += f"; largest last correction {residuals[worst]:.1e} of the video, at sigma {level:g}"
    return told
