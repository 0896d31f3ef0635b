"""What is looked at before the first step with a motion module: latents that cannot be, and odd settings."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from .settings import MotionSettings

EVERY_SIGMA = (math.inf, 0.0)


def sigma_range(model, settings: MotionSettings) -> tuple[float, float]:
    """(highest, lowest) sigma at which the module acts, on the noise schedule of the MODEL."""
    if settings.start_percent == 0.0 and settings.end_percent == 1.0:
        return EVERY_SIGMA
    sampling = model.get_model_object("model_sampling")
    return float(sampling.percent_to_sigma(settings.start_percent)), float(
        sampling.percent_to_sigma(settings.end_percent)
    )


def refuse_latents(model, shape: torch.Size, node: str, streams: int = 1) -> None:
    """Raises ValueError for latents that are no batch of images (F, C, H, W) of this MODEL, or no whole
    number of frames of `streams` images each. node: whose message it is.
    """
    remedy = "use Empty Latent Image with batch_size = frames, or VAE Encode with this checkpoint's VAE."
    if len(shape) != 4:
        raise ValueError(
            f"{node} needs the latents of images, 4 dimensions (frames, channels, height, "
            f"width); these have the shape {tuple(shape)}, "
            f"{'as those of video models have' if len(shape) == 5 else 'which no checkpoint of images has'}; "
            f"{remedy}"
        )
    channels = model.get_model_object("latent_format").latent_channels
    if shape[1] != channels:
        raise ValueError(
            f"the latents have {shape[1]} channels, those of this checkpoint have {channels}; {remedy}"
        )
    if shape[0] == 0:
        raise ValueError(f"the latents hold no frames, a video needs at least one; {remedy}")
    if shape[0] % streams:
        raise ValueError(
            f"the latents hold {shape[0]} images, which are not content and motion of equally many frames; "
            "put the node 'Split Into Content and Motion' before the sampler."
        )


def refuse_other_windows(context_handler, streams: int) -> None:
    """Raises ValueError for windows of other nodes, which part the content of a video from its motion."""
    if streams > 1 and context_handler is not None and not hasattr(context_handler, "settings"):
        raise ValueError(
            "context windows of another node do not keep content and motion of a frame together; use the "
            "node 'Context Windows' of Zoetrope."
        )


def odd_in_run(
    settings: MotionSettings,
    range_: tuple[float, float],
    num_frames: int,
    sigmas: torch.Tensor,
    context_handler,
    node: str,
) -> Iterator[str]:
    """Sentences for the person about a run that works, but in which a method cannot do much.

    num_frames: of one video. node: of the method.
    """
    length = getattr(getattr(context_handler, "settings", context_handler), "context_length", num_frames)
    if min(num_frames, length) == 1:
        yield (
            f"{node}: the network sees one frame at a time, so nothing can move. Make "
            "batch_size of the latent (with context windows: context_length) larger, 16 is usual."
        )
    high, low = range_
    levels = sigmas[:-1]
    if len(levels) and not any(low <= float(sigma) <= high for sigma in levels):
        yield (
            f"{node}: none of the {len(levels)} steps of this run lies between "
            f"start_percent={settings.start_percent:g} and end_percent={settings.end_percent:g} of the noise "
            "schedule, so it does not act. Widen the range."
        )
