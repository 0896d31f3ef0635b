"""PIA: an image comes to life. AnimateDiff's motion modules, and a first convolution that also sees the image
and how much each frame is like it.

Source: Zhang et al. 2023, arXiv 2312.13964; github.com/open-mmlab/PIA fixes the details: channels
[noisy latent 4 | mask 1 | image latent 4], the nine ranges of motion (animatediff/utils/util.py), joint norms
in the ResBlocks. On a personalised checkpoint the reference takes the first four channels and the bias from
the checkpoint, on plain Stable Diffusion 1.5 all nine from its file (pipelines/i2v_pipeline.py). diffusers
always does the former. Both are offered (`keeps_conv_in`).

Letters: N images, B videos, F frames, N = B*F, C channels, H height, W width of the latents.
Names are those of pia.ckpt: AnimateDiff's, `conv_in.weight` (C, 9, 3, 3) and perhaps `conv_in.bias`. Here the
convolution is two, `conv_in.noisy` of the first four channels and `conv_in.condition` of the five others.
A new module has no `noisy`; its file has zeros there, and the reference replaces them by a checkpoint's.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import torch
from torch import nn

from ..foreign_text import printable
from . import animatediff
from .animatediff.files import is_pia_module, read_motion_module, to_original_names
from .animatediff.layers import MotionConfig, MotionModel, config_for, motion_acts
from .animatediff.layers import misfit as motion_misfit
from .call import Call
from .file_tensors import StateDict, refuse_broken_numbers
from .image_condition import (
    CONDITION,
    NOISY,
    ImageCondition,
    condition_convolution,
    condition_misfit,
    see_images,
)
from .named_layers import add_at_path
from .points import Act, Acts
from .unet_places import UNetPlaces

MOTION_RANGES: dict[str, tuple[float, ...]] = {
    "small": (1, 0.9, 0.85, 0.85, 0.85, 0.8),
    "moderate": (1, 0.8, 0.8, 0.8, 0.79, 0.78, 0.75),
    "large": (1, 0.8, *[0.7] * 8, 0.6, 0.5, 0.5),
    "loop small": (1, 0.9, 0.85, 0.85, 0.85, *[0.8] * 7, 0.85, 0.85, 0.9, 1),
    "loop moderate": (1, 0.8, 0.8, 0.8, 0.79, 0.78, *[0.75] * 5, 0.78, 0.79, 0.8, 0.8, 1),
    "loop large": (1, 0.8, 0.7, 0.7, 0.7, 0.7, 0.6, 0.5, 0.5, 0.6, 0.7, 0.7, 0.7, 0.7, 0.8, 1),
    "style transfer small": (0.5, 0.4, 0.4, 0.4, 0.35, 0.3),
    "style transfer moderate": (0.5, 0.4, 0.4, 0.4, 0.35, 0.35, 0.3, 0.25, 0.2),
    "style transfer large": (0.5, 0.2),
}
"""How much frames are like the image, by their distance from its frame; the last value holds beyond."""


def mask_values(motion: str, num_frames: int, cond_frame: int) -> torch.Tensor:
    """How much each frame is like the image at frame cond_frame, 0..1: (num_frames,).

    `small` for 4 frames with the image at frame 1 -> 0.9, 1, 0.9, 0.85. Raises ValueError for a cond_frame
    that the video does not have.
    """
    if not 0 <= cond_frame < num_frames:
        raise ValueError(
            f"cond_frame={cond_frame} must be a frame of the video, 0 to {num_frames - 1} in one of "
            f"{num_frames} frames; lower it or make the video longer."
        )
    values = torch.tensor(MOTION_RANGES[motion])
    return values[(torch.arange(num_frames) - cond_frame).abs().clamp(max=len(values) - 1)]


@dataclass(frozen=True)
class PIAImage(ImageCondition):
    """What a PIA module needs besides its weights: the latent of one image, and a mask.

    keeps_conv_in: whether noisy latents go through the checkpoint's own first convolution, not through that
    of the file.
    """

    keeps_conv_in: bool = True


@dataclass(frozen=True)
class PIAConfig(MotionConfig):
    """conv_in: output channels C of the first convolution. has_noisy: whether the file has weights for the
    noisy latents too. has_bias: whether it has a bias for them.
    """

    conv_in: int = 320
    has_noisy: bool = False
    has_bias: bool = False


class PIA(MotionModel):
    """Motion modules, and the first convolution in two parts."""

    def __init__(self, config: PIAConfig, operations=nn, device=None, dtype=None):
        super().__init__(config, operations, device, dtype)
        condition = condition_convolution(config.conv_in, False, operations, device, dtype)
        add_at_path(self, "conv_in.condition", condition)
        if config.has_noisy:
            noisy = operations.Conv2d(
                NOISY, config.conv_in, 3, padding=1, bias=config.has_bias, device=device, dtype=dtype
            )
            add_at_path(self, "conv_in.noisy", noisy)


def acts(network: PIA, places: UNetPlaces) -> Acts:
    """The motion modules, and a first convolution that sees the image."""
    return {**motion_acts(network, places), places.conv_in.path: _conv_in(network)}


def _conv_in(network: PIA) -> Act:
    layers, config = network.conv_in, network.config

    def noisy(inner: Act, x: torch.Tensor) -> torch.Tensor:
        features = layers.noisy(x)
        return features if config.has_bias else features + inner(torch.zeros_like(x))

    def first(call: Call, inner: Act, x: torch.Tensor) -> torch.Tensor:
        if call.inputs.keeps_conv_in:
            return inner(x)
        return call.replace(lambda: inner(x), noisy(inner, x))

    see = see_images(layers.condition)
    return lambda call, inner, x: see(call, lambda x: first(call, inner, x), x)


def misfit(network: PIA, places: UNetPlaces) -> str:
    """Why a module does not fit a UNet; empty when it does."""
    return condition_misfit(network.config.conv_in, places) or motion_misfit(network, places)


def read(tensors: StateDict, file_name: str) -> tuple[PIAConfig, StateDict]:
    """Config and weights of a file like pia.ckpt. Raises ValueError for one that is incomplete or damaged."""
    own = {key: value for key, value in tensors.items() if key.startswith("conv_in.")}
    motion, weights = read_motion_module({k: v for k, v in tensors.items() if k not in own}, file_name)
    weight, bias = own["conv_in.weight"], own.get("conv_in.bias")
    channels = min(motion.site_channels.values())  # the UNet's first width
    for name, value, shape in (
        ("conv_in.weight", weight, (channels, NOISY + CONDITION, 3, 3)),
        ("conv_in.bias", bias, (channels,)),
    ):
        if value is not None and tuple(value.shape) != shape:
            raise ValueError(
                f"'{printable(file_name)}': '{printable(name)}' has shape {tuple(value.shape)} where {shape} "
                "is needed for PIA; the file is damaged or of an unknown kind."
            )
    refuse_broken_numbers(own, file_name)
    noisy, weights["conv_in.condition.weight"] = weight[:, :NOISY], weight[:, NOISY:].contiguous()
    has_noisy = bool(noisy.any())
    has_bias = has_noisy and bias is not None
    if has_noisy:
        weights["conv_in.noisy.weight"] = noisy.contiguous()
    if has_bias:
        weights["conv_in.noisy.bias"] = bias
    return _with_conv_in(motion, channels, has_noisy, has_bias), weights


def _with_conv_in(motion: MotionConfig, channels: int, *has: bool) -> PIAConfig:
    return PIAConfig(*(getattr(motion, f.name) for f in fields(motion)), channels, *has)


def to_file(network: PIA) -> StateDict:
    """The weights under published names; zeros for the noisy latents where there are none."""
    weights = to_original_names(network)
    condition = weights.pop("conv_in.condition.weight")
    noisy = weights.pop("conv_in.noisy.weight", condition.new_zeros(len(condition), NOISY, 3, 3))
    weights["conv_in.weight"] = torch.cat((noisy, condition), 1)
    if network.config.has_bias:
        weights["conv_in.bias"] = weights.pop("conv_in.noisy.bias")
    return weights


METHOD = replace(
    animatediff.METHOD,
    name="PIA",
    claims=is_pia_module,
    read=read,
    build=PIA,
    acts=acts,
    new=lambda places: _with_conv_in(config_for(places), places.conv_in.out_channels),
    to_file=to_file,
    misfit=misfit,
    title=lambda config: "PIA",
    joint_norms=lambda config: True,
    acts_untrained=True,  # through the joint norms
    needs="an image; put the node 'Animate Image (PIA)' between Load Motion Module and Apply Motion Module",
)
