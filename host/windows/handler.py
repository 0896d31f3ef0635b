"""Context windows for any MODEL:
long videos are denoised in overlapping windows, whose results are fused at every sampling step.

The handler sits where ComfyUI looks for one (model_options["context_handler"]), so every sampler uses it.
Unlike core's own it never hands the network more frames than context_length, gives every window the
ControlNet hints and masks of its frames, has schedules that cover every frame, and evaluates several windows
in one call. It holds settings only; what a run keeps is made when the run starts and goes with it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from itertools import groupby

import torch
from comfy.context_windows import ContextHandlerABC, IndexListContextWindow
from comfy.patcher_extension import WrappersMP

from ...motion_modules.call import streams_in
from ...samplers.context_fusion import FusionPlan, WindowFusion
from ...samplers.noise import arrange_noise
from ..sampling.prompt_frames import refuse_other_frames
from ..sampling.steps import step_of
from ..sampling.video_frames import FRAMES_PER_VIDEO
from .batch import WindowBatch
from .conds import BATCH_AXIS, TIME_AXIS, window_conds
from .controls import HintStore
from .parts import ContextParts
from .patches import refuse_recorders, unknown_parts
from .settings import ContextSettings

KEY = "zoetrope_context_windows"
WINDOW_RUNS = "zoetrope_window_runs"
"""In model_options: what evaluates the windows of a run elsewhere (host/cluster/window_workers.py)."""
CORE_KEYS = ("ContextWindows_prepare_sampling", "ContextWindows_sampler_sample")


class ContextRun:
    """What one sampling run keeps between its steps:
    the tables of its windows and the prepared ControlNet hints.
    """

    def __init__(self):
        self.windows: dict[tuple, tuple[list[list[int]], FusionPlan]] = {}
        self.settings_told: list[ContextSettings] = []
        self.hints = HintStore()
        self.parts_told: list[str] = []


class ContextWindowHandler(ContextHandlerABC):
    """Evaluates the conds of a sampling step window by window; see the module."""

    def __init__(self, *settings: ContextSettings):
        """settings: of each part of the run, by rising start_percent."""
        super().__init__()
        self.parts = ContextParts(settings)
        self.settings = settings[0]
        """Those of the video, which are the same in every part: axis, videos, noise."""

    def should_use_context(
        self, model, conds, x_in: torch.Tensor, timestep: torch.Tensor, model_options: dict
    ) -> bool:
        """Whether x_in has more frames than one window.
        Raises ValueError on latents that this handler cannot divide.
        """
        part = self.parts.at(model, timestep, model_options)
        needed = part.needed(x_in.shape, _streams(model_options))
        _refuse_mixed_latents(conds, needed, part.context_length)
        return needed

    def get_resized_cond(
        self, cond_in: list[dict] | None, x_in: torch.Tensor, window: IndexListContextWindow, device=None
    ):
        """The conds of one window, without their ControlNets' hints; for other code that asks for them."""
        return None if cond_in is None else window_conds(cond_in, window, x_in)

    def execute(
        self,
        calc_cond_batch: Callable,
        model,
        conds,
        x_in: torch.Tensor,
        timestep: torch.Tensor,
        model_options: dict,
    ):
        """The results of all frames, one tensor shaped like x_in for each list of conds."""
        run = model_options.get(KEY)
        if run is None:  # called outside of a sampling run: nothing to keep
            run = ContextRun()
        axis = self.settings.axis(x_in.shape)
        part = self.parts.at(model, timestep, model_options)
        frame_lists, plan = self._windows(run, part, x_in, timestep, model_options)
        windows = [
            IndexListContextWindow(frames, axis, x_in.shape[axis], context_overlap=part.context_overlap)
            for frames in frame_lists
        ]
        fusions = [WindowFusion(plan, x_in, axis) for _ in conds]
        batched = bool((timestep == timestep[0]).all()) and not self._unknown_parts(run, model, model_options)
        elsewhere = model_options.get(WINDOW_RUNS)
        most = part.windows_per_batch or int(elsewhere is not None)
        groups = _groups(windows, most if batched else 1)

        def evaluate(group: list[IndexListContextWindow]) -> list[list[torch.Tensor]]:
            batch = WindowBatch(model, group, conds, x_in, timestep, model_options, run.hints)
            return batch.evaluate(calc_cond_batch)

        if elsewhere is None:
            evaluated = map(evaluate, groups)
        else:
            evaluated = elsewhere.results(groups, conds, x_in, timestep, model_options, evaluate)
        for results in (results for of_group in evaluated for results in of_group):
            for fusion, result in zip(fusions, results, strict=True):
                fusion.add(result.to(x_in.device))
        return [fusion.result() for fusion in fusions]

    def _unknown_parts(self, run: ContextRun, model, model_options: dict) -> list[str]:
        """Other code that sees the calls of the network and may not see several windows; told once a run."""
        parts = unknown_parts(model, model_options)
        if parts and parts != run.parts_told:
            run.parts_told = parts
            names = ", ".join(parts)
            logging.info(f"Context windows: one window in a call, for other code sees the calls: {names}.")
        return parts

    def _windows(
        self,
        run: ContextRun,
        part: ContextSettings,
        x_in: torch.Tensor,
        timestep: torch.Tensor,
        model_options: dict,
    ) -> tuple[list[list[int]], FusionPlan]:
        streams = _streams(model_options)
        num_videos, num_frames = part.videos(x_in.shape, streams)
        step, sigma = step_of(timestep, model_options), float(timestep.mean())
        windows, weights = part.plan(num_frames, step, sigma)
        if part not in run.settings_told:
            run.settings_told.append(part)
            logging.info(
                f"Context windows: {num_frames} frames in {len(windows)} windows of at most"
                f" {max(map(len, windows))} frames."
            )
        key = (num_frames, tuple(map(tuple, windows)), tuple(map(tuple, weights)), x_in.device)
        if key not in run.windows:
            frame_lists = windows_of_videos(windows, num_videos, num_frames, streams)
            plan = FusionPlan(
                frame_lists,
                [own * streams for own in weights] * num_videos,
                num_frames * streams * num_videos,
                x_in.device,
            )
            run.windows[key] = frame_lists, plan
        return run.windows[key]


def _groups(windows: list[IndexListContextWindow], most: int) -> list[list[IndexListContextWindow]]:
    """Neighbouring windows of equal length that are evaluated together, at most so many; 0: all."""
    size, groups = most or len(windows), []
    for _, equal in groupby(windows, key=lambda window: len(window.index_list)):
        equal = list(equal)
        groups += [equal[start : start + size] for start in range(0, len(equal), size)]
    return groups


def windows_of_videos(
    windows: list[list[int]], num_videos: int, num_frames: int, streams: int
) -> list[list[int]]:
    """The windows of one stream of one video, (window, its frames), as windows of all videos of a batch: each
    holds the same frames of every stream.

    Windows [0, 1] and [1, 2] of 2 videos of 3 frames with 2 streams, content and motion:
    [0, 1, 3, 4], [1, 2, 4, 5], [6, 7, 9, 10], [7, 8, 10, 11].
    """
    return [
        [(video * streams + stream) * num_frames + i for stream in range(streams) for i in window]
        for video in range(num_videos)
        for window in windows
    ]


def _streams(model_options: dict) -> int:
    return streams_in(model_options.get("transformer_options", {}))


def _refuse_mixed_latents(conds, needed: bool, context_length: int) -> None:
    for cond in (cond for conds_of_kind in conds if conds_of_kind is not None for cond in conds_of_kind):
        model_conds = cond.get("model_conds", {})
        guides = getattr(model_conds.get("guide_attention_entries"), "cond", None)
        # Video and sound arrive flattened into one row; the first shape is the video's.
        shapes = getattr(model_conds.get("latent_shapes"), "cond", None) or []
        if (needed and guides) or (len(shapes) > 1 and shapes[0][TIME_AXIS] > context_length):
            raise ValueError(
                "latents with guide frames or with sound beside the video cannot be divided by the node"
                " Context Windows; use ComfyUI's own context windows node for that model."
            )


def _outer_sample(executor, noise, latent_image, sampler, sigmas, *args, **kwargs):
    guider = executor.class_obj
    before = guider.model_options
    handler = before.get("context_handler")
    if isinstance(handler, ContextWindowHandler):
        streams = _streams(before)
        num_videos, num_frames = handler.settings.videos(noise.shape, streams)
        are_batch = handler.settings.axis(noise.shape) == BATCH_AXIS
        refuse_other_frames(guider, num_frames, num_videos * streams, are_batch)
        if any(part.needed(noise.shape, streams) for part in handler.parts.settings):
            refuse_recorders(before)
            sampling = guider.model_patcher.get_model_object("model_sampling")
            list(handler.parts.plans_of_run(num_frames, sampling, sigmas[:-1].tolist()))
    guider.model_options = {**before, KEY: ContextRun()}
    try:
        return executor(noise, latent_image, sampler, sigmas, *args, **kwargs)
    finally:
        guider.model_options = before


def _prepare_sampling(executor, model, noise_shape, conds, *args, **kwargs):
    """Memory is needed for the frames of one window only;
    what is left decides how many windows share a call.
    """
    handler = (kwargs.get("model_options") or {}).get("context_handler")
    if isinstance(handler, ContextWindowHandler):
        axis = handler.settings.axis(noise_shape)
        noise_shape = list(noise_shape)
        longest = max(part.context_length for part in handler.parts.settings)
        window = longest * _streams(kwargs["model_options"])
        noise_shape[axis] = min(noise_shape[axis], window)
    return executor(model, noise_shape, conds, *args, **kwargs)


def arranged_noise(noise: torch.Tensor, model_options: dict, seed: int) -> torch.Tensor:
    """Noise of all frames as the noise type of the MODEL's Context Windows has it; as it is without them."""
    s = getattr(model_options.get("context_handler"), "settings", None)
    if not isinstance(s, ContextSettings) or s.noise_type == "default":
        return noise
    streams = _streams(model_options)
    rows = streams * s.videos(noise.shape, streams)[0]  # each stream is arranged as a video of its own
    return arrange_noise(
        noise, s.noise_type, s.axis(noise.shape), s.context_length, s.context_overlap, seed, rows
    )


def _sampler_sample(executor, guider, sigmas, extra_args, callback, noise, *args, **kwargs):
    noise = arranged_noise(noise, extra_args["model_options"], extra_args.get("seed") or 0)
    return executor(guider, sigmas, extra_args, callback, noise, *args, **kwargs)


WRAPPERS = {
    WrappersMP.OUTER_SAMPLE: _outer_sample,
    WrappersMP.PREPARE_SAMPLING: _prepare_sampling,
    WrappersMP.SAMPLER_SAMPLE: _sampler_sample,
}


def apply_context_windows(model, settings: ContextSettings):
    """A clone of the MODEL that is sampled in context windows; windows set earlier, also by ComfyUI's own
    node, are replaced, or with a start_percent rule until then.

    Raises ValueError where there are none to follow, and for settings that contradict theirs.
    """
    model = model.clone()
    parts = _parts_with(model.model_options.get("context_handler"), settings)
    model.model_options["context_handler"] = ContextWindowHandler(*parts)
    model.model_options["transformer_options"][FRAMES_PER_VIDEO] = parts[0].frames_per_video
    for kind, wrapper in WRAPPERS.items():
        for key in (KEY, *CORE_KEYS):
            model.remove_wrappers_with_key(kind, key)
        model.add_wrapper_with_key(kind, KEY, wrapper)
    return model


def _parts_with(handler, settings: ContextSettings) -> tuple[ContextSettings, ...]:
    if settings.start_percent == 0:
        return (settings,)
    if not isinstance(handler, ContextWindowHandler):
        raise ValueError(
            f"start_percent={settings.start_percent:g} needs windows that rule until then; put a Context"
            " Windows with start_percent 0 in front of this one, or set it to 0."
        )
    return handler.parts.and_then(settings)
