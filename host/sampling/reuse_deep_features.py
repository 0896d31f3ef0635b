"""Reuse Deep Features: steps of a sampling run that compute the outer blocks of the network only.

What a run keeps is made when it starts and goes with it, also after an error; it travels in
transformer_options, which core hands to the threads of other GPUs too. The network and the MODEL stay as they
are. Which step a call belongs to is found from its noise level, so heun and dpmpp_sde call as often as they
want.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator
from dataclasses import dataclass

import comfy.model_management
import torch
from comfy.patcher_extension import WrappersMP

from ...memory import check_memory
from ...motion_modules.call import streams_in
from ...samplers.deep_features import KeptFeatures, ReuseSettings
from ..injection.run_checks import sigma_range
from ..node_notes import current_node, say
from ..windows.handler import ContextWindowHandler
from .outer_blocks import OuterBlocks, outer_blocks
from .steps import step_of

KEY = "zoetrope_deep_features"


@dataclass
class ReuseRun:
    """One sampling run. sigma_range: the highest and the lowest noise level of steps that may be short."""

    sigma_range: tuple[float, float]
    features: KeptFeatures
    short_calls: int = 0

    def acts_at(self, sigma: float) -> bool:
        high, low = self.sigma_range
        return low <= sigma <= high


def reuse_deep_features(model, settings: ReuseSettings):
    """A clone of the MODEL that computes one step in `interval` whole; what was set earlier is replaced.

    interval 1 is the plain MODEL. Raises ValueError for a network that has no outer blocks.
    """
    model = model.clone()
    wrappers = _wrappers(settings, outer_blocks(model, settings.depth), current_node())
    for kind, wrapper in wrappers.items():
        model.remove_wrappers_with_key(kind, KEY)
        if settings.interval > 1:
            model.add_wrapper_with_key(kind, KEY, wrapper)
    return model


def _wrappers(settings: ReuseSettings, blocks: OuterBlocks, node_id: str | None) -> dict:
    def outer_sample(executor, noise, latent_image, sampler, sigmas, *args, **kwargs):
        guider = executor.class_obj
        _check_memory(guider, blocks, noise.shape, sigmas)
        run = ReuseRun(sigma_range(guider.model_patcher, settings), KeptFeatures(settings.interval))
        before = guider.model_options
        options = {**before.get("transformer_options", {}), KEY: run}
        guider.model_options = {**before, "transformer_options": options}
        try:
            result = executor(noise, latent_image, sampler, sigmas, *args, **kwargs)
        finally:
            guider.model_options = before
            run.features.clear()
        if run.short_calls == 0 and len(sigmas) > 2:
            say(_NOTHING_REUSED.format(steps=len(sigmas) - 1), node_id)
        return result

    def apply_model(
        executor, x, t, c_concat=None, c_crossattn=None, control=None, transformer_options=None, **kwargs
    ):
        options = {} if transformer_options is None else transformer_options
        run: ReuseRun | None = options.get(KEY)
        names = [] if run is None else list(_names(options, x))
        if not names:
            return executor(x, t, c_concat, c_crossattn, control, options, **kwargs)
        if not run.acts_at(float(options["sigmas"][0])):
            run.features.clear()
            return executor(x, t, c_concat, c_crossattn, control, options, **kwargs)
        step = step_of(options["sigmas"], {"transformer_options": options})
        keys, state = run.features.keys(names), _state(executor.class_obj, x, len(names), control)
        outer = OuterBlocks(executor.class_obj.diffusion_model, settings.depth)
        features = run.features.reusable(keys, step, state)
        if features is not None:
            run.short_calls += 1
            feature = torch.cat([part.to(x.device) for part in features])
            options, control = outer.short(options, feature), outer.control(control)
            return executor(x, t, c_concat, c_crossattn, control, options, **kwargs)
        recorded: list[torch.Tensor] = []
        options = outer.recording(options, recorded.append)
        result = executor(x, t, c_concat, c_crossattn, control, options, **kwargs)
        if len(recorded) == 1 and len(recorded[0]) == len(x):
            parts = _kept_where_there_is_room(recorded[0], executor.class_obj, x).chunk(len(keys))
            run.features.keep(keys, step, state, parts)
        return result

    return {
        WrappersMP.OUTER_SAMPLE: outer_sample,
        WrappersMP.PREDICT_NOISE: _predict_noise,
        WrappersMP.APPLY_MODEL: apply_model,
    }


_NOTHING_REUSED = (
    "Reuse Deep Features: all {steps} steps were computed whole. Context windows that move at every step"
    " (uniform) have nothing to reuse, take standard_static; otherwise widen start_percent and end_percent."
)


def _predict_noise(executor, x, timestep, model_options, seed):
    run: ReuseRun | None = model_options.get("transformer_options", {}).get(KEY)
    if run is not None:
        run.features.begin_evaluation()
    return executor(x, timestep, model_options, seed)


def _names(options: dict, x: torch.Tensor) -> Iterator[Hashable]:
    """What each chunk of a call is, for the whole run: its conditioning, window and device.

    None where core has not said so, as when another node calls the network by itself, and where frames have
    noise levels of their own (FIFO Sampler): other frames stand in their places at the next step.
    """
    identities, sigmas = options.get("uuids", ()), options.get("sigmas")
    if sigmas is None or not bool((sigmas == sigmas[0]).all()):
        return
    if not identities or len(x) % len(identities):
        return
    window = options.get("context_window")
    windows = getattr(window, "windows", None) or [window] * len(identities)
    for identity, own in zip(identities, windows, strict=True):
        yield identity, tuple(getattr(own, "index_list", ())), x.device


def _state(model, x: torch.Tensor, num_chunks: int, control: dict | None) -> Hashable:
    """What must be as it was in the whole step: sizes, weights that hooks have changed, a ControlNet."""
    hooks = getattr(model.current_patcher, "current_hooks", None)
    strengths = () if hooks is None else tuple(hook.strength for hook in hooks.hooks)
    return len(x) // num_chunks, tuple(x.shape[1:]), strengths, control is None


def _kept_where_there_is_room(feature: torch.Tensor, model, x: torch.Tensor) -> torch.Tensor:
    """The feature (N, C, H, W) where it was computed if a call of the network still fits beside it, else in
    the computer's memory.
    """
    if feature.device.type == "cpu":
        return feature
    free = comfy.model_management.get_free_memory(feature.device)
    return feature if free > model.memory_required(list(x.shape)) else feature.cpu()


def _check_memory(guider, blocks: OuterBlocks, shape: torch.Size, sigmas: torch.Tensor) -> None:
    """Raises ValueError where the features of all frames and conditionings of a run do not fit."""
    rows = _rows(guider, shape, sigmas) * sum(map(len, guider.conds.values()))
    size = guider.model_patcher.model.get_dtype_inference().itemsize
    needed = rows * math.prod(blocks.feature_shape(*shape[-2:])) * size
    remedy = "sample fewer frames, or leave Reuse Deep Features out"
    check_memory(needed, f"deep features of {rows} frames, all prompts and windows together,", remedy)


def _rows(guider, shape: torch.Size, sigmas: torch.Tensor) -> int:
    """Images that one conditioning has in all windows of a step, the most of a run."""
    handler = guider.model_options.get("context_handler")
    if not isinstance(handler, ContextWindowHandler):
        return shape[0]
    streams = streams_in(guider.model_options.get("transformer_options", {}))
    num_videos, num_frames = handler.settings.videos(shape, streams)
    sampling = guider.model_patcher.get_model_object("model_sampling")
    plans = handler.parts.plans_of_run(num_frames, sampling, sigmas[:-1].tolist())
    most = max((sum(map(len, windows)) for windows, _ in plans), default=num_frames)
    return num_videos * streams * most
