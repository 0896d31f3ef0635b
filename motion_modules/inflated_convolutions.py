"""(2+1)D and centred 3-D: the 3x3 convolutions of a UNet reach over three frames.

Source of (2+1)D: Tran et al. 2018, arXiv 1711.11248, section 3: a convolution over height and width, a norm
and an activation, a convolution over three frames. The first is the checkpoint's. Ours, so that a new one
changes nothing: the rest is added to what the first puts out, and its last convolution starts at zero. The
norm is the UNet's own kind, GroupNorm of each frame with SiLU, where the paper has BatchNorm with ReLU.

Source of centred 3-D: the checkpoint's kernel is the middle slice of a 3x3x3 kernel and the slices of the
previous and next frame start at zero ("central frame initialisation", Arnab et al. 2021, arXiv
2103.15691, section 3.4). Ours: the middle slice stays the checkpoint's, so that any checkpoint serves.

Letters: N images, B videos, F frames, N = B*F, C channels that a convolution puts out, I that it reads.
Nothing is published for Stable Diffusion; names are this pack's own, beside those of diffusers:

    down_blocks.0.resnets.0.conv1.factorised.norm, .temporal_conv     (2+1)D; the convolution (C, C, 3, 1, 1)
    down_blocks.0.resnets.0.conv1.neighbour_frames.weight             centred 3-D, (2C, I, 3, 3): what a
                              frame gives to the next one, and what it gives to the previous one
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
import torch.nn.functional as nnf
from torch import nn

from ..foreign_text import printable
from .attention_misfit import convolution_misfit
from .call import Call
from .file_tensors import StateDict, weights_for, widths_in
from .frame_attention import over_video
from .method import TemporalMethod
from .named_layers import add_at_path
from .points import Act, Acts
from .unet_places import UNetPlaces
from .zero_layers import start_at_zero

_FACTORISED = re.compile(r"^(.+\.resnets\.\d+\.conv[12])\.factorised\.")
_NEIGHBOURS = re.compile(r"^(.+\.resnets\.\d+\.conv[12])\.neighbour_frames\.")
GROUPS = 32


@dataclass(frozen=True)
class ConvolutionsConfig:
    """C and I by the published name of a convolution; I where a method reads what the convolution reads."""

    channels: Mapping[str, int] = field(hash=False)
    in_channels: Mapping[str, int] = field(hash=False, default_factory=dict)


class FactorisedConvolution(nn.Module):
    """What follows a convolution over height and width: norm, activation, a convolution over three frames."""

    def __init__(self, channels: int, operations=nn, device=None, dtype=None):
        super().__init__()
        factory_kwargs = {"device": device, "dtype": dtype}
        self.norm = operations.GroupNorm(GROUPS, channels, **factory_kwargs)
        self.temporal_conv = operations.Conv3d(
            channels, channels, (3, 1, 1), padding=(1, 0, 0), bias=False, **factory_kwargs
        )
        start_at_zero(self.temporal_conv)

    def forward(self, x: torch.Tensor, num_frames: int) -> torch.Tensor:
        """What is added to x (N, C, H, W)."""
        return over_video(self.temporal_conv, nnf.silu(self.norm(x)), num_frames)


class FactorisedConvolutions(nn.Module):
    """The temporal halves of all (2+1)D convolutions of a UNet."""

    def __init__(self, config: ConvolutionsConfig, operations=nn, device=None, dtype=None):
        super().__init__()
        self.config = config
        for name, channels in config.channels.items():
            layer = FactorisedConvolution(channels, operations, device, dtype)
            add_at_path(self, f"{name}.factorised", layer)


class NeighbourFrames(nn.Module):
    """The outer slices of all 3x3x3 convolutions of a UNet."""

    def __init__(self, config: ConvolutionsConfig, operations=nn, device=None, dtype=None):
        super().__init__()
        self.config = config
        for name, channels in config.channels.items():
            layer = operations.Conv2d(
                config.in_channels[name], 2 * channels, 3, padding=1, bias=False, device=device, dtype=dtype
            )
            start_at_zero(layer)
            add_at_path(self, f"{name}.neighbour_frames", layer)


def from_neighbours(given: torch.Tensor, num_frames: int) -> torch.Tensor:
    """What frames give, (N, 2C, H, W), first to the next frame, then to the previous one, -> what each frame
    gets (N, C, H, W).

    3 frames give a b c to the next and p q r to the previous one -> q, a + r, b.
    """
    video = given.unflatten(0, (-1, num_frames))
    to_next, to_previous = video.chunk(2, dim=2)
    got = nnf.pad(to_next[:, :-1], (0, 0) * 3 + (1, 0)) + nnf.pad(to_previous[:, 1:], (0, 0) * 3 + (0, 1))
    return got.flatten(0, 1)


def factorised_acts(network: FactorisedConvolutions, places: UNetPlaces) -> Acts:
    """The temporal half behind every 3x3 convolution of the ResBlocks."""
    return {place.path: then_over_frames(network.get_submodule(f"{name}.factorised"))
            for name, place in places.convolutions().items()}  # fmt: skip


def then_over_frames(layer: FactorisedConvolution) -> Act:
    """An act around a convolution: the temporal half behind it."""

    def act(call: Call, inner: Act, x: torch.Tensor) -> torch.Tensor:
        x = inner(x)
        return call.add(x, layer(x, call.num_frames))

    return act


def neighbour_acts(network: NeighbourFrames, places: UNetPlaces) -> Acts:
    """The slices of the previous and the next frame beside every 3x3 convolution of the ResBlocks."""
    return {place.path: with_neighbours(network.get_submodule(f"{name}.neighbour_frames"))
            for name, place in places.convolutions().items()}  # fmt: skip


def with_neighbours(layer: nn.Module) -> Act:
    """An act around a convolution: what it reads of the previous and the next frame."""

    def act(call: Call, inner: Act, x: torch.Tensor) -> torch.Tensor:
        if call.num_frames == 1:
            return inner(x)
        return call.add(inner(x), from_neighbours(layer(x), call.num_frames))

    return act


def read_factorised(tensors: StateDict, file_name: str) -> tuple[ConvolutionsConfig, StateDict]:
    """Config and weights of a (2+1)D file. Raises ValueError for one that is incomplete or damaged."""
    config = ConvolutionsConfig(widths_in(tensors, _FACTORISED, "factorised.norm.weight", file_name))
    for name, channels in config.channels.items():
        if channels % GROUPS:
            raise ValueError(
                f"'{printable(file_name)}' has {channels} channels at {printable(name)}, which must be a "
                f"multiple of {GROUPS}, the groups of its norm; the file is damaged or of an unknown kind."
            )
    return config, weights_for(FactorisedConvolutions(config, device="meta"), tensors, file_name)


def read_neighbours(tensors: StateDict, file_name: str) -> tuple[ConvolutionsConfig, StateDict]:
    """Config and weights of a centred 3-D file. Raises ValueError for one that is incomplete or damaged."""
    rows = widths_in(tensors, _NEIGHBOURS, "neighbour_frames.weight", file_name)
    channels = {name: both // 2 for name, both in rows.items()}
    shapes = {name: tensors[f"{name}.neighbour_frames.weight"].shape for name in rows}
    reads = {name: shape[1] if len(shape) == 4 else 1 for name, shape in shapes.items()}
    config = ConvolutionsConfig(channels, reads)
    return config, weights_for(NeighbourFrames(config, device="meta"), tensors, file_name)


def new_factorised(places: UNetPlaces) -> ConvolutionsConfig:
    """Temporal halves for every convolution."""
    return ConvolutionsConfig({name: place.channels for name, place in places.convolutions().items()})


def new_neighbours(places: UNetPlaces) -> ConvolutionsConfig:
    """Outer slices for every convolution."""
    reads = {name: place.in_channels for name, place in places.convolutions().items()}
    return ConvolutionsConfig(new_factorised(places).channels, reads)


def _misfit(network: FactorisedConvolutions | NeighbourFrames, places: UNetPlaces) -> str:
    return convolution_misfit(network.config.channels, places, network.config.in_channels)


def _title(kind: str) -> Callable[[ConvolutionsConfig], str]:
    return lambda config: f"{kind}, {len(config.channels)} convolutions"


FACTORISED = TemporalMethod(
    name="(2+1)D convolution",
    claims=lambda keys: any(_FACTORISED.match(key) for key in keys),
    read=read_factorised,
    build=FactorisedConvolutions,
    acts=factorised_acts,
    new=new_factorised,
    misfit=_misfit,
    title=_title("(2+1)D"),
    attends=False,
)
CENTRED = TemporalMethod(
    name="Centred 3-D convolution",
    claims=lambda keys: any(_NEIGHBOURS.match(key) for key in keys),
    read=read_neighbours,
    build=NeighbourFrames,
    acts=neighbour_acts,
    new=new_neighbours,
    misfit=_misfit,
    title=_title("centred 3-D"),
    attends=False,
)
