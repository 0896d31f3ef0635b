"""Guidance by a scale of its own for every step, frame and place, on any MODEL.

The guider's scale is changed, as Oscillating Guidance does it, so that other functions of guidance get the
scale of the step. Where frames or places differ, they get a tensor of it in place of the number.

Source: AnimateDiff-Evolved's custom cfg, whose rule of steps is kept: values hold from the first step on
whose noise level is not above that of their start_percent. Its `guarantee_steps` has no equal here.

Letters: B videos, F frames of a video, N images of the batch, C channels, H height, W width.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from comfy.patcher_extension import WrappersMP

from ...frame_values import FrameValues, Placed
from ...shapes import fold_frames, unfold_frames
from .guiders import check_one_scale
from .video_frames import frames_of_video

KEY = "zoetrope_varying_guidance"


@dataclass(frozen=True)
class VaryingGuidance:
    """What guides in place of the sampler's cfg. Raises ValueError for what is no scale."""

    cfg: float | FrameValues = 8.0
    frames_per_video: int = 0
    """Frames of each video of a batch; 0 = all, or as many as Context Windows says."""

    def __post_init__(self) -> None:
        if self.frames_per_video < 0:
            raise ValueError(
                f"frames_per_video={self.frames_per_video} must be 0 (all images are one video) or larger."
            )
        if isinstance(self.cfg, FrameValues) and self.cfg.blocks:
            raise ValueError(
                f"cfg has factors for the blocks {', '.join(self.cfg.blocks)}, guidance has no blocks; take"
                " the values from Vary Value, without Vary Value by Block."
            )

    def frames_of(self, shape: torch.Size, model_options: Mapping) -> int:
        """Frames of one video of latents (N, C, H, W) or (B, C, F, H, W).

        Raises ValueError for a batch that is no whole number of videos, and for values of another length.
        """
        frames = frames_of_video(shape, model_options, self.frames_per_video, "Vary Guidance")
        self.cfg.check_length(frames, "cfg")
        return frames

    def at(self, holds: Callable[[float], bool], x: torch.Tensor, model_options: Mapping) -> float:
        """The scale of a step for latents x; holds: whether a start_percent has been reached."""
        if not isinstance(self.cfg, FrameValues):
            return self.cfg
        values = self.cfg.at(holds)
        if bool((values == values[0, 0, 0]).all()):
            return float(values[0, 0, 0])
        return ScaleOfPlaces(_beside(values, x, self.frames_of(x.shape, model_options)))


class ScaleOfPlaces(float):
    """A scale for each frame and place (`tensor`), where core wants a number: the one furthest from 1, so
    that core leaves out the negative prompt only where all of them are 1.
    """

    tensor: torch.Tensor

    def __new__(cls, tensor: torch.Tensor) -> ScaleOfPlaces:
        scale = super().__new__(cls, tensor.flatten()[(tensor - 1).abs().argmax()])
        scale.tensor = tensor
        return scale


def _beside(values: torch.Tensor, x: torch.Tensor, num_frames: int) -> torch.Tensor:
    """Values (F or 1, H, W) to multiply x (N, C, H, W) or (B, C, F, H, W) with."""
    images = fold_frames(x) if x.ndim == 5 else x
    numbers = torch.arange(len(images)) % num_frames
    placed = Placed(values[numbers.clamp(max=len(values) - 1)], tuple(images.shape[2:])).beside(images)
    return unfold_frames(placed, num_frames) if x.ndim == 5 else placed


def vary_guidance(model, settings: VaryingGuidance):
    """A clone of the MODEL that is guided by these scales; what was set earlier is replaced.

    Sampling raises ValueError with a guider that has no scale or two, and for values of another length.
    """

    def check(executor, noise, *args, **kwargs):
        guider = executor.class_obj
        check_one_scale(guider, "Vary Guidance")
        if isinstance(settings.cfg, FrameValues) and any(key.values.numel() > 1 for key in settings.cfg.keys):
            settings.frames_of(noise.shape, guider.model_options)
        return executor(noise, *args, **kwargs)

    def predict_noise(executor, x, timestep, model_options, seed):
        guider = executor.class_obj
        sampling, sigma, own = guider.inner_model.model_sampling, float(timestep[0]), guider.cfg
        guider.cfg = settings.at(
            lambda start: sigma <= float(sampling.percent_to_sigma(start)), x, model_options
        )
        if isinstance(guider.cfg, ScaleOfPlaces):
            model_options = {**model_options, "sampler_cfg_function": _with_tensor(model_options)}
        try:
            return executor(x, timestep, model_options, seed)
        finally:
            guider.cfg = own

    model = model.clone()
    for kind, wrapper in ((WrappersMP.PREDICT_NOISE, predict_noise), (WrappersMP.OUTER_SAMPLE, check)):
        model.remove_wrappers_with_key(kind, KEY)
        # Outermost, so that Oscillating Guidance takes this scale for the sampler's.
        model.wrappers[kind] = {KEY: [wrapper], **model.wrappers.get(kind, {})}
    return model


def _with_tensor(model_options: Mapping) -> Callable[[Mapping], torch.Tensor]:
    """The guidance function of a MODEL, or plain guidance, given the tensor of a scale for its number."""
    guide = model_options.get("sampler_cfg_function", _guide)

    def guide_places(arguments: Mapping) -> torch.Tensor:
        scale = arguments["cond_scale"]
        return guide({**arguments, "cond_scale": getattr(scale, "tensor", scale)})

    return guide_places


def _guide(arguments: Mapping) -> torch.Tensor:
    cond, uncond = arguments["cond"], arguments["uncond"]
    return uncond + arguments["cond_scale"] * (cond - uncond)
