"""MagicVideo's layers: every convolution gets a scale and a shift for each frame, every transformer block
an attention over frames beside it that looks back only.

Source: Zhou et al. 2022, arXiv 2211.11018, section 3.2: the frame adaptor z_i = S_i * Conv2d(z_i) + B_i, the
sum S-Attn(z) + T-Attn(z) of both attentions, and A = softmax(Q K^T / sqrt(d)) * M with a lower triangular M.
As printed there, M comes after the softmax: what a frame would take from later ones is lost, and its weights
sum to less than 1. "MagicVideo, causal softmax" masks before the softmax instead, so that they sum to 1.
Neither code nor weights are published. Ours, where the equations leave it open: a LayerNorm before the
temporal attention, a last projection that starts at zero, adaptors in the ResBlocks alone, tables that are
interpolated for other numbers of frames. The paper's embedding of the frame rate is a method of its own,
frame_rate.py.

Letters: N images, B videos, F frames, N = B*F, T tokens of an image, C channels, R rows of a table.
Names are this pack's own:

    down_blocks.0.resnets.0.adaptor_1.scale, .shift, and adaptor_2          behind both convolutions, (C, R)
    down_blocks.0.attentions.0.transformer_blocks.0.directed_attn.to_q, .to_k, .to_v, .to_out.0
    down_blocks.0.attentions.0.transformer_blocks.0.directed_norm
    down_blocks.0.attentions.0.transformer_blocks.0.causal_attn, causal_norm       masked before the softmax
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

import torch
import torch.nn.functional as nnf
from einops import rearrange
from torch import nn

from ..frame_values import scaled_as
from .attention_misfit import attention_misfit, resblock_misfit
from .call import Attention, Call
from .file_tensors import StateDict, weights_for, widths_in
from .frame_attention import TemporalAttention
from .method import TemporalMethod
from .named_layers import add_at_path
from .points import Act, Acts
from .unet_places import UNetPlaces

_ATTENTION = re.compile(r"^(.+\.transformer_blocks\.\d+)\.(directed|causal)_(?:attn|norm)\.")
_ADAPTOR = re.compile(r"^(.+\.resnets\.\d+)\.adaptor_[12]\.")
DIRECTED, CAUSAL = "directed", "causal"
KEY_FRAMES = 16
"""Frames of the paper's clips, and rows of a new table."""


@dataclass(frozen=True)
class DirectedConfig:
    """C by published name of the transformer blocks and of the ResBlocks.

    mask: DIRECTED, after the softmax, or CAUSAL, before it. num_rows: R, the frames that have rows.
    """

    attentions: Mapping[str, int] = field(hash=False)
    resblocks: Mapping[str, int] = field(hash=False)
    mask: str = DIRECTED
    num_rows: int = KEY_FRAMES


class FrameAdaptor(nn.Module):
    """A scale and a shift of every channel for each frame; 1 and 0 in a new one."""

    def __init__(self, channels: int, num_rows: int, device=None, dtype=None):
        super().__init__()
        factory_kwargs = {"device": device, "dtype": dtype}
        self.scale = nn.Parameter(torch.ones(channels, num_rows, **factory_kwargs))
        self.shift = nn.Parameter(torch.zeros(channels, num_rows, **factory_kwargs))

    def forward(self, x: torch.Tensor, num_frames: int) -> torch.Tensor:
        """What is added to x (N, C, H, W): x * (scale - 1) + shift."""
        videos = x.shape[0] // num_frames
        scale, shift = (
            _row_of_each_frame(table.to(x.device), num_frames).to(x.dtype).repeat(videos, 1)[..., None, None]
            for table in (self.scale - 1, self.shift)
        )
        return torch.addcmul(shift, x, scale)


def _row_of_each_frame(table: torch.Tensor, num_frames: int) -> torch.Tensor:
    """(C, R) -> (F, C): the whole table spread over the frames of a video, linear between its rows.

    3 rows a b c, 5 frames -> a, (a+b)/2, b, (b+c)/2, c. One frame alone has the first row.
    """
    if table.shape[1] != num_frames:
        table = nnf.interpolate(table[None], size=num_frames, mode="linear", align_corners=True)[0]
    return table.T


class MagicVideo(nn.Module):
    """The adaptors of all ResBlocks and the temporal attentions of all transformer blocks."""

    def __init__(self, config: DirectedConfig, operations=nn, device=None, dtype=None):
        super().__init__()
        self.config = config
        factory_kwargs = {"device": device, "dtype": dtype}
        for name, channels in config.resblocks.items():
            for number in (1, 2):
                adaptor = FrameAdaptor(channels, config.num_rows, **factory_kwargs)
                add_at_path(self, f"{name}.adaptor_{number}", adaptor)
        for name, channels in config.attentions.items():
            attention = TemporalAttention(channels, operations, **factory_kwargs)
            add_at_path(self, f"{name}.{config.mask}_attn", attention)
            norm = operations.LayerNorm(channels, **factory_kwargs)
            add_at_path(self, f"{name}.{config.mask}_norm", norm)


def looking_back(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, heads: int, mask: str) -> torch.Tensor:
    """Attention of each frame to itself and earlier ones: q, k, v (places, F, C) -> (places, F, C)."""
    q, k, v = (rearrange(x, "p f (h d) -> p h f d", h=heads) for x in (q, k, v))
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
    if mask == CAUSAL:
        later = torch.ones_like(scores[0, 0], dtype=torch.bool).triu(1)
        scores = scores.masked_fill(later, -torch.inf)
    weights = scores.softmax(-1, dtype=torch.float32).tril().to(v.dtype)
    return rearrange(weights @ v, "p h f d -> p f (h d)")


def acts(network: MagicVideo, places: UNetPlaces) -> Acts:
    """An adaptor behind both convolutions of each ResBlock, an attention over frames beside each block."""
    found: dict[str, Act] = {}
    for name, place in places.resblocks().items():
        for number, path in enumerate(place.convolutions, 1):
            found[path] = _adapted(network.get_submodule(f"{name}.adaptor_{number}"))
    mask = network.config.mask
    attention = partial(looking_back, mask=mask)
    for name, place in places.attentions().items():
        block = network.get_submodule(name)
        norm, layer = block.get_submodule(f"{mask}_norm"), block.get_submodule(f"{mask}_attn")
        found[place.path] = _beside(norm, layer, place.heads, attention)
    return found


def _adapted(adaptor: FrameAdaptor) -> Act:
    def act(call: Call, inner: Act, x: torch.Tensor) -> torch.Tensor:
        x = inner(x)
        return call.add(x, adaptor(x, call.num_frames))

    return act


def _beside(norm: nn.Module, layer: TemporalAttention, heads: int, attention: Attention) -> Act:
    """An act around a transformer block: both read the same tokens (N, T, C), and the results are added."""

    def act(call: Call, inner: Act, x: torch.Tensor, *args, **kwargs) -> torch.Tensor:
        tokens = rearrange(x, "(b f) t c -> (b t) f c", f=call.num_frames)
        change = layer(norm(tokens), heads, scaled_as(call.attention, attention))
        change = rearrange(change, "(b t) f c -> (b f) t c", t=x.shape[1])
        return call.add(inner(x, *args, **kwargs), change)

    return act


def read(tensors: StateDict, file_name: str, mask: str) -> tuple[DirectedConfig, StateDict]:
    """Config and weights of a file.

    Raises ValueError for a file that is incomplete or damaged.
    """
    attentions = widths_in(tensors, _ATTENTION, f"{mask}_attn.to_q.weight", file_name)
    resblocks = widths_in(tensors, _ADAPTOR, "adaptor_1.scale", file_name)
    rows = [tensors[f"{name}.adaptor_1.scale"].shape[-1] for name in resblocks]
    config = DirectedConfig(attentions, resblocks, mask, *rows[:1])
    return config, weights_for(MagicVideo(config, device="meta"), tensors, file_name)


def new(places: UNetPlaces, mask: str) -> DirectedConfig:
    """Layers for every ResBlock and every transformer block, adaptors for 16 frames."""
    attentions = {name: place.channels for name, place in places.attentions().items()}
    resblocks = {name: place.channels for name, place in places.resblocks().items()}
    return DirectedConfig(attentions, resblocks, mask)


def misfit(network: MagicVideo, places: UNetPlaces) -> str:
    """Why the layers do not fit a UNet; empty when they do."""
    config = network.config
    return attention_misfit(config.attentions, places) or resblock_misfit(config.resblocks, places)


def _claims(keys: frozenset[str], mask: str) -> bool:
    """A file that mixes both kinds counts as DIRECTED, and lacks some of its keys."""
    kinds = {m[2] for key in keys if (m := _ATTENTION.match(key))}
    return mask in kinds and (mask == DIRECTED or DIRECTED not in kinds)


def _method(name: str, mask: str) -> TemporalMethod:
    return TemporalMethod(
        name=name,
        claims=partial(_claims, mask=mask),
        read=partial(read, mask=mask),
        build=MagicVideo,
        acts=acts,
        new=partial(new, mask=mask),
        misfit=misfit,
        # A scale of 1 plus a little would be rounded to 1.
        keeps_float32=lambda key: ".adaptor_" in key,
        title=lambda config: f"{name}, {config.num_rows} frames",
    )


METHOD = _method("MagicVideo", DIRECTED)
METHOD_CAUSAL = _method("MagicVideo, causal softmax", CAUSAL)
