"""Frame rate embedding: the network is told for how many frames per second it makes a video.

Source: MagicVideo (Zhou et al. 2022, arXiv 2211.11018, section 3.2): emb = Linear(SiLU(Linear(sin(fps)))) is
added to the network's features. Make-A-Video (Singer et al. 2022, arXiv 2209.14792, section 3.2) conditions
on the frame rate too. Neither code nor weights are published. Ours, where they leave it open: it is added to
the embedded noise level, which every ResBlock reads, with the widths of the checkpoint's own embedding, and
the last layer starts at zero. It is no layer over frames, so it stacks with any method that has some.

Letters: N images, M channels of the UNet's first level, E of the embedded noise level. Names are this pack's:

    fps_embedding.linear_1.weight (E, M), .bias, linear_2.weight (E, E), .bias
    fps_embedding.num_levels      (1,): of the UNet; SD1.x and SDXL embed noise levels alike
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch
import torch.nn.functional as nnf
from torch import nn

from .attention_misfit import levels_misfit
from .call import Call
from .file_tensors import StateDict, weights_for, widths_in
from .method import TemporalMethod
from .points import Act, Acts
from .sinusoids import sinusoids
from .unet_places import UNetPlaces
from .zero_layers import start_at_zero

_PREFIX = "fps_embedding."
_LEVELS = f"{_PREFIX}num_levels"
_PART = re.compile(r"^(fps_embedding)\.")
_WIDER = 4
"""E = 4 M in every UNet of Stable Diffusion."""


@dataclass(frozen=True)
class FrameRateConfig:
    """emb_channels: E. num_levels: resolution levels of the UNet that it is for."""

    emb_channels: int
    num_levels: int


class RateEmbedding(nn.Module):
    """A frame rate as a vector of the size of an embedded noise level."""

    def __init__(self, config: FrameRateConfig, operations=nn, device=None, dtype=None):
        super().__init__()
        wide, factory_kwargs = config.emb_channels, {"device": device, "dtype": dtype}
        self.linear_1 = operations.Linear(wide // _WIDER, wide, **factory_kwargs)
        self.linear_2 = operations.Linear(wide, wide, **factory_kwargs)
        start_at_zero(self.linear_2)
        self.channels = wide // _WIDER
        self.register_buffer("num_levels", torch.tensor([float(config.num_levels)], device=device))

    def forward(self, fps: float, like: torch.Tensor) -> torch.Tensor:
        """Frames per second -> what is added to `like` (N, E)."""
        # A row for each image: products of one row are rounded by where the weights lie in memory.
        waves = sinusoids(torch.full((len(like),), fps, device=like.device), self.channels)
        return self.linear_2(nnf.silu(self.linear_1(waves.to(like.dtype))))


class FrameRate(nn.Module):
    """The embedding under its name."""

    def __init__(self, config: FrameRateConfig, operations=nn, device=None, dtype=None):
        super().__init__()
        self.config = config
        self.fps_embedding = RateEmbedding(config, operations, device, dtype)


def acts(network: FrameRate, places: UNetPlaces) -> Acts:
    """The frame rate, `call.inputs`, is added to the embedded noise level."""
    return {places.time_embed: _added(network.fps_embedding)}


def _added(embedding: RateEmbedding) -> Act:
    def act(call: Call, inner: Act, x: torch.Tensor) -> torch.Tensor:
        emb = inner(x)
        return call.add(emb, embedding(call.inputs, emb))

    return act


def read(tensors: StateDict, file_name: str) -> tuple[FrameRateConfig, StateDict]:
    """Config and weights of a file. Raises ValueError for one that is incomplete or damaged."""
    wide = widths_in(tensors, _PART, "linear_2.weight", file_name, _WIDER)["fps_embedding"]
    weights = weights_for(FrameRate(FrameRateConfig(wide, 0), device="meta"), tensors, file_name)
    return FrameRateConfig(wide, int(weights[_LEVELS])), weights


def misfit(network: FrameRate, places: UNetPlaces) -> str:
    """Why the embedding does not fit a UNet; empty when it does."""
    config = network.config
    if config.emb_channels != places.emb_channels:
        return (
            f"it makes embeddings of {config.emb_channels} channels, this checkpoint has noise levels of "
            f"{places.emb_channels}"
        )
    return levels_misfit(config.num_levels, places)


METHOD = TemporalMethod(
    name="Frame rate embedding",
    claims=lambda keys: bool(keys) and all(key.startswith(_PREFIX) for key in keys),
    read=read,
    build=FrameRate,
    acts=acts,
    new=lambda places: FrameRateConfig(places.emb_channels, places.num_levels),
    misfit=misfit,
    is_trained=lambda name: name != _LEVELS,
    title=lambda config: "frame rate embedding",
    per_frame=True,
    attends=False,
    needs="a frame rate; put the node 'Set Frame Rate (temporal layers)' between Load Motion Module and "
    "Apply Motion Module",
)
