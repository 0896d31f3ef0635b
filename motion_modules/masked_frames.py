"""Masked frames: a first convolution that sees which frames are known, and those frames. First frames known:
prediction. Every n-th known: interpolation.

Source: Make-A-Video (Singer et al. 2022, arXiv 2209.14792, section 3.3): masked frames and a binary mask are
further input channels for frame interpolation and extrapolation. Align Your Latents (Blattmann et al. 2023,
arXiv 2304.08818, section 3.2): c = (m * z, m) of a prediction or interpolation model. The interpolation model
of Stable Video Diffusion (arXiv 2311.15127) does the same. Nothing is published. Ours: the channels go into
the checkpoint's first convolution, and the new weights start at zero. It is no layer over frames, so it
stacks with a method that has some.

Letters: F frames, K known frames, C channels, H height, W width of the latents. Names are this pack's own:

    masked_frames.conv_in.weight, .bias     (C, 5, 3, 3): channels [mask 1 | masked latent 4]
    masked_frames.num_levels                (1,): of the UNet; SD1.x and SDXL have first convolutions alike
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch
from torch import nn

from .attention_misfit import levels_misfit
from .file_tensors import StateDict, weights_for, widths_in
from .image_condition import ImageCondition, condition_convolution, condition_misfit, see_images
from .method import TemporalMethod
from .named_layers import add_at_path
from .points import Acts
from .unet_places import UNetPlaces

_PREFIX = "masked_frames."
_LEVELS = f"{_PREFIX}num_levels"
_PART = re.compile(r"^(masked_frames)\.")


@dataclass(frozen=True)
class MaskedFramesConfig:
    """channels: C. num_levels: resolution levels of the UNet that it is for."""

    channels: int
    num_levels: int


class MaskedFrames(nn.Module):
    """The part of the first convolution that sees the mask and the known frames."""

    def __init__(self, config: MaskedFramesConfig, operations=nn, device=None, dtype=None):
        super().__init__()
        self.config = config
        layer = condition_convolution(config.channels, True, operations, device, dtype)
        add_at_path(self, f"{_PREFIX}conv_in", layer)
        num_levels = torch.tensor([float(config.num_levels)], device=device)
        self.masked_frames.register_buffer("num_levels", num_levels)


def known_frames(latents: torch.Tensor, numbers: list[int], num_frames: int) -> ImageCondition:
    """The condition on known frames: latents (K, 4, H, W) at the K numbers, zeros and mask 0 elsewhere.

    Latents of several videos, (videos * K, 4, H, W), are those of the first, the second, ...: then the
    condition is as long as all of them, else num_frames.
    """
    videos = len(latents) // len(numbers)
    rows = [video * num_frames + number for video in range(videos) for number in numbers]
    masked = latents.new_zeros(videos * num_frames, *latents.shape[1:])
    mask = torch.zeros(videos * num_frames)
    masked[rows], mask[rows] = latents, 1.0
    return ImageCondition(masked, mask)


def acts(network: MaskedFrames, places: UNetPlaces) -> Acts:
    """A first convolution that sees the known frames."""
    return {places.conv_in.path: see_images(network.masked_frames.conv_in)}


def read(tensors: StateDict, file_name: str) -> tuple[MaskedFramesConfig, StateDict]:
    """Config and weights of a file. Raises ValueError for one that is incomplete or damaged."""
    channels = widths_in(tensors, _PART, "conv_in.weight", file_name)["masked_frames"]
    network = MaskedFrames(MaskedFramesConfig(channels, 0), device="meta")
    weights = weights_for(network, tensors, file_name)
    return MaskedFramesConfig(channels, int(weights[_LEVELS])), weights


def misfit(network: MaskedFrames, places: UNetPlaces) -> str:
    """Why the convolution does not fit a UNet; empty when it does."""
    config = network.config
    return condition_misfit(config.channels, places) or levels_misfit(config.num_levels, places)


METHOD = TemporalMethod(
    name="Masked frames",
    claims=lambda keys: bool(keys) and all(key.startswith(_PREFIX) for key in keys),
    read=read,
    build=MaskedFrames,
    acts=acts,
    new=lambda places: MaskedFramesConfig(places.conv_in.out_channels, places.num_levels),
    misfit=misfit,
    is_trained=lambda name: name != _LEVELS,
    title=lambda config: "masked frames",
    per_frame=True,
    attends=False,
    needs="frames that are known; put the node 'Set Known Frames' between Load Motion Module and Apply "
    "Motion Module",
)
