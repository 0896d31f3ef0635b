"""Reconstruction guidance on any MODEL: the maths is in samplers/reconstruction_guidance.py.

What is known is what ComfyUI's noise mask keeps. The gradient goes through all that makes the prediction:
guidance by the prompt, layers over frames, ControlNets, context windows. Windows are evaluated without a
graph first, and each again with one when its turn comes, so that only one call of the network is recorded at
a time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import comfy.hooks
import torch
from comfy.model_management import throw_exception_if_processing_interrupted
from comfy.patcher_extension import WrappersMP

from ...samplers.reconstruction_guidance import KnownLatents, ReconstructionSettings, guided
from ..injection.run_checks import sigma_range
from .differentiable import differentiable, with_controls_beside
from .reuse_deep_features import KEY as DEEP_FEATURES

KEY = "zoetrope_reconstruction_guidance"
KNOWN = "zoetrope_known_latents"
"""The key of model_options under which a run, and samplers with runs of their own, say what is known."""


def guide_by_known_frames(model, settings: ReconstructionSettings):
    """A clone of the MODEL whose prediction is moved so that known frames come out right; what was set
    earlier is replaced.

    Sampling raises ValueError where nothing is known, with weight hooks, and with Reuse Deep Features.
    """

    def predict_noise(executor, x, timestep, model_options, seed):
        guider = executor.class_obj
        high, low = sigma_range(guider.model_patcher, settings)
        if not settings.weight or not low <= float(timestep.max()) <= high:
            return executor(x, timestep, model_options, seed)
        known = _known(model_options, x, guider, timestep)
        if not bool((known.mask > 0).any() and (known.mask < 1).any()):
            return executor(x, timestep, model_options, seed)
        predicted, gradient = _with_gradient(executor, x, timestep, model_options, seed, known)
        sampling = guider.inner_model.model_sampling
        signal = sampling.noise_scaling(timestep, torch.zeros_like(x), torch.ones_like(x))
        return guided(predicted, gradient, known.mask, settings.weight, signal)

    model = model.clone()
    wrappers = {
        WrappersMP.OUTER_SAMPLE: _outer_sample,
        WrappersMP.SAMPLER_SAMPLE: _sampler_sample,
        WrappersMP.PREDICT_NOISE: predict_noise,
    }
    for kind, wrapper in wrappers.items():
        model.remove_wrappers_with_key(kind, KEY)
        model.add_wrapper_with_key(kind, KEY, wrapper)
    return model


def _outer_sample(executor, *args, **kwargs):
    guider = executor.class_obj
    if guider.model_patcher.get_wrappers(WrappersMP.OUTER_SAMPLE, DEEP_FEATURES):
        raise ValueError(
            "Reconstruction Guidance needs the gradient of the whole network, of which Reuse Deep Features"
            " computes a part in most steps; take one of them out."
        )
    for cond in (cond for conds in guider.conds.values() for cond in conds):
        hooks = cond.get("hooks")
        if hooks is not None and hooks.get_type(comfy.hooks.EnumHookType.Weight):
            raise ValueError(
                "Reconstruction Guidance needs weights that stay as they are in a step, and a hook of the"
                " prompts changes them (Create Hook LoRA); take Load LoRA in its place."
            )
    return executor(*args, **kwargs)


def _sampler_sample(executor, guider, sigmas, extra_args, callback, noise, latent_image, mask, *args, **kw):
    keeps = mask is not None and latent_image is not None and bool((mask < 1).any())
    known = KnownLatents(latent_image, mask) if keeps else None
    options = {**extra_args["model_options"], KNOWN: known}
    extra_args = {**extra_args, "model_options": options}
    return executor(guider, sigmas, extra_args, callback, noise, latent_image, mask, *args, **kw)


def _known(model_options: dict, x: torch.Tensor, guider, timestep: torch.Tensor) -> KnownLatents:
    """What is known at a noise level: Differential Diffusion and its kind change the mask from step to step.

    Raises ValueError where neither the latents nor the sampler say so.
    """
    known: KnownLatents | None = model_options.get(KNOWN)
    if known is None or known.latents.shape != x.shape:
        raise ValueError(
            "Reconstruction Guidance needs known frames, and the latents have no noise mask that keeps any;"
            " wire Fix Frames or Set Latent Noise Mask, or sample with Extend Video."
        )
    mask, change = known.mask, model_options.get("denoise_mask_function")
    if change is not None:
        sigmas = model_options["transformer_options"]["sample_sigmas"]
        mask = change(timestep, mask, extra_options={"model": guider, "sigmas": sigmas})
    return replace(known, mask=mask)


def _with_gradient(
    executor, x: torch.Tensor, timestep: torch.Tensor, model_options: dict, seed, known: KnownLatents
) -> tuple[torch.Tensor, torch.Tensor]:
    """The prediction, and the gradient of its error on known latents, shaped like x."""
    guider = executor.class_obj
    modules = [guider.inner_model, *(patcher.model for patcher in guider.loaded_models)]
    with differentiable(modules):
        point = x.clone().requires_grad_()
        is_divided = _is_divided(guider, x, timestep, model_options)
        calls = _Calls(model_options.get("model_function_wrapper"), is_divided)
        model_options = {**model_options, "model_function_wrapper": calls}
        predicted = executor(point, timestep.clone(), model_options, seed)
        error = known.error(predicted, known.mask)
        return predicted.detach(), calls.gradient(error, point)


def _is_divided(guider, x: torch.Tensor, timestep: torch.Tensor, model_options: dict) -> bool:
    """Whether frames go through the network in several windows."""
    handler = model_options.get("context_handler")
    if handler is None or getattr(handler, "is_one_call", False):
        return False
    conds = list(guider.conds.values())
    return handler.should_use_context(guider.inner_model, conds, x, timestep, model_options)


@dataclass
class _Call:
    """One call of the network; result stands for what it gave, so that a gradient ends there."""

    apply_model: Callable
    args: dict
    result: torch.Tensor


class _Calls:
    """In place of a model_function_wrapper. is_divided: whether calls are made without a graph, and each
    again for its gradient.
    """

    def __init__(self, inner: Callable | None, is_divided: bool):
        self.run, self.is_divided = with_controls_beside(inner), is_divided
        self.made: list[_Call] = []

    def __call__(self, apply_model: Callable, args: dict) -> torch.Tensor:
        if not self.is_divided:
            return self.run(apply_model, args)
        with torch.no_grad():  # with lists of its own: core takes out of them what a ControlNet adds
            result = self.run(apply_model, _with_starts(args, []))
        self.made.append(_Call(apply_model, args, result.detach().requires_grad_()))
        return self.made[-1].result

    def gradient(self, error: torch.Tensor, point: torch.Tensor) -> torch.Tensor:
        """The gradient of the error with respect to point, also by way of all calls."""
        if not error.requires_grad:
            return torch.zeros_like(point)
        ends = [point, *(call.result for call in self.made)]
        direct, *of_results = torch.autograd.grad(error, ends, retain_graph=True, allow_unused=True)
        total = torch.zeros_like(point) if direct is None else direct
        for call, of_result in zip(self.made, of_results, strict=True):
            if of_result is None:
                continue
            throw_exception_if_processing_interrupted()
            starts: list[tuple[torch.Tensor, torch.Tensor]] = []
            result = self.run(call.apply_model, _with_starts(call.args, starts))
            given, made = zip(*starts, strict=True)
            own = torch.autograd.grad(result, made, of_result, allow_unused=True)
            used = [(at, value) for at, value in zip(given, own, strict=True) if value is not None]
            ends, values = zip(*used, strict=True)
            total = total + torch.autograd.grad(ends, point, values, retain_graph=True)[0]
        return total


def _with_starts(value: Any, starts: list) -> Any:
    """The arguments of a call whose tensors with gradients are new beginnings of a graph; starts takes
    (tensor, its new beginning).
    """
    if isinstance(value, torch.Tensor):
        if not value.requires_grad:
            return value
        starts.append((value, value.detach().requires_grad_()))
        return starts[-1][1]
    if isinstance(value, dict):
        return {
            key: item if key == "transformer_options" else _with_starts(item, starts)
            for key, item in value.items()
        }
    if type(value) in (list, tuple):
        return type(value)(_with_starts(item, starts) for item in value)
    return value
