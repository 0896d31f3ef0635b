"""Temporal guidance: a video moves more, or less, than its layers over frames make it move.

Source: the sampler of VideoCrafter in FIFO-Diffusion's code (Kim et al. 2024, arXiv 2405.11473): to the
guided prediction it adds s (with layers over frames - without), both with the prompt. There it is noise that
is predicted, here clean frames, which is the same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import comfy.model_patcher
import torch
from comfy.samplers import calc_cond_batch

from .context_guidance import RUNS
from .motion import applied_modules

NEVER = (-math.inf, math.inf)
"""(highest, lowest) sigma of a module that acts nowhere."""


@dataclass(frozen=True)
class TemporalGuidance:
    """A function after the guidance by the prompt. scale: s, 0 adds nothing.

    It costs one more evaluation of the network in each step in which a module acts.
    """

    scale: float

    def __call__(self, arguments: Mapping) -> torch.Tensor:
        guided, options = arguments["denoised"], arguments["model_options"]
        own = options.get("transformer_options", {})
        runs, sigma = own.get(RUNS, {}), float(arguments["sigma"].max())
        if not any(run.acts_at(sigma) for run in runs.values()):
            return guided
        still = {calls: replace(run, sigma_range=NEVER) for calls, run in runs.items()}
        options = {**options, "transformer_options": {**own, RUNS: still}}
        (without,) = calc_cond_batch(
            arguments["model"], [arguments["cond"]], arguments["input"], arguments["sigma"], options
        )
        return guided + self.scale * (arguments["cond_denoised"] - without)


def guide_motion(model: comfy.model_patcher.ModelPatcher, scale: float) -> comfy.model_patcher.ModelPatcher:
    """A clone of model that is guided by its layers over frames; several nodes add up.

    Raises ValueError for a scale that is no number, and for a MODEL without such layers.
    """
    if not math.isfinite(scale):
        raise ValueError(f"scale={scale} must be a finite number; 0 adds nothing.")
    if not applied_modules(model):
        raise ValueError(
            "this MODEL has no layers over frames to be guided by; put the node behind Apply Motion Module."
        )
    model = model.clone()
    if scale:
        model.set_model_sampler_post_cfg_function(TemporalGuidance(scale))
    return model
