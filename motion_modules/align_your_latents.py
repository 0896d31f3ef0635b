"""Align Your Latents: a temporal layer behind every layer of the checkpoint, and a learned blend of both.

Source: Blattmann et al. 2023, arXiv 2304.08818, section 3.1: z <- alpha z + (1 - alpha) z', where z' comes
from a residual block of convolutions over frames behind each ResBlock, and from attention over frames with
sinusoidal embeddings behind each transformer block; images skip both. Neither code nor weights are published.
github.com/Stability-AI/generative-models, by the same group, fixes the layers (VideoResBlock and
SpatialVideoTransformer of ComfyUI, without the attention to text over frames): kernel 3x1x1, norms over all
frames of a video, alpha = sigmoid(mix_factor). Ours: what a temporal layer adds starts at zero and alpha at
1/2, because at alpha = 1 no temporal layer would get a gradient. The conditions of the paper's prediction and
interpolation models are a method of their own, masked_frames.py.

Letters: N images, B videos, F frames, N = B*F, T tokens of an image, C channels, E of the noise level.
Names are those that diffusers gives the same layers of Stable Video Diffusion:

    down_blocks.0.resnets.0.temporal_res_block.norm1, .conv1, .time_emb_proj, .norm2, .conv2
    down_blocks.0.resnets.0.time_mixer.mix_factor
    down_blocks.0.attentions.0.temporal_transformer_blocks.0.norm_in, .ff_in, .norm1, .attn1, .norm3, .ff
    down_blocks.0.attentions.0.time_pos_embed.linear_1, .linear_2
    down_blocks.0.attentions.0.time_mixer.mix_factor
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
import torch.nn.functional as nnf
from einops import rearrange
from torch import nn

from .animatediff.layers import FeedForward
from .attention_misfit import attention_misfit, resblock_misfit
from .call import Attention, Call
from .file_tensors import StateDict, weights_for, widths_in
from .frame_attention import TemporalAttention, over_video
from .method import TemporalMethod
from .named_layers import add_at_path
from .points import Act, Acts
from .sinusoids import sinusoids
from .unet_places import UNetPlaces
from .zero_layers import start_at_zero

_RESBLOCK = re.compile(r"^(.+\.resnets\.\d+)\.temporal_res_block\.")
_ATTENTION = re.compile(r"^(.+\.attentions\.\d+\.temporal_transformer_blocks\.\d+)\.")
GROUPS = 32
"""Of every norm over frames."""
_IMAGE_PART = ".spatial_res_block."
"""Only whole networks have it: Stable Video Diffusion's file is no file of temporal layers."""


@dataclass(frozen=True)
class AlignConfig:
    """C by published name of the ResBlocks and of the transformer blocks; emb_channels: E."""

    resblocks: Mapping[str, int] = field(hash=False)
    attentions: Mapping[str, int] = field(hash=False)
    emb_channels: int


class Blend(nn.Module):
    """The share of the temporal layer: x + (1 - alpha) (temporal - x)."""

    def __init__(self, device=None, dtype=None):
        super().__init__()
        self.mix_factor = nn.Parameter(torch.zeros(1, device=device, dtype=dtype))

    def forward(self, change: torch.Tensor) -> torch.Tensor:
        """temporal - x -> what is added to x."""
        return change * torch.sigmoid(-self.mix_factor.to(change))


class TemporalResBlock(nn.Module):
    """Twice norm, SiLU and a convolution over three frames, told the noise level in between."""

    def __init__(self, channels: int, emb_channels: int, operations=nn, device=None, dtype=None):
        super().__init__()
        factory_kwargs = {"device": device, "dtype": dtype}
        for number in (1, 2):
            conv = operations.Conv3d(channels, channels, (3, 1, 1), padding=(1, 0, 0), **factory_kwargs)
            self.add_module(f"norm{number}", operations.GroupNorm(GROUPS, channels, **factory_kwargs))
            self.add_module(f"conv{number}", conv)
        self.time_emb_proj = operations.Linear(emb_channels, channels, **factory_kwargs)
        start_at_zero(self.conv2)

    def forward(self, video: torch.Tensor, emb: torch.Tensor) -> torch.Tensor:
        """What is added to video (B, C, F, H, W); emb (B, F, E)."""
        hidden = self.conv1(nnf.silu(self.norm1(video)))
        hidden = hidden + rearrange(self.time_emb_proj(nnf.silu(emb)), "b f c -> b c f 1 1")
        return self.conv2(nnf.silu(self.norm2(hidden)))


class TemporalTransformerBlock(nn.Module):
    """Feed-forward, attention over frames and feed-forward, each added to its input."""

    def __init__(self, channels: int, operations=nn, device=None, dtype=None):
        super().__init__()
        make = {"operations": operations, "device": device, "dtype": dtype}
        for name in ("norm_in", "norm1", "norm3"):
            self.add_module(name, operations.LayerNorm(channels, device=device, dtype=dtype))
        self.ff_in, self.ff = FeedForward(channels, **make), FeedForward(channels, **make)
        self.attn1 = TemporalAttention(channels, **make)  # it starts at zero by itself
        start_at_zero(self.ff_in.net[2])
        start_at_zero(self.ff.net[2])

    def forward(self, tokens: torch.Tensor, heads: int, attention: Attention) -> torch.Tensor:
        """tokens (places, F, C) -> the same."""
        tokens = tokens + self.ff_in(self.norm_in(tokens))
        tokens = tokens + self.attn1(self.norm1(tokens), heads, attention)
        return tokens + self.ff(self.norm3(tokens))


class FrameEmbedding(nn.Module):
    """What tells a token the number of its frame: cosines and sines through two layers."""

    def __init__(self, channels: int, operations=nn, device=None, dtype=None):
        super().__init__()
        factory_kwargs = {"device": device, "dtype": dtype}
        self.linear_1 = operations.Linear(channels, 4 * channels, **factory_kwargs)
        self.linear_2 = operations.Linear(4 * channels, channels, **factory_kwargs)
        start_at_zero(self.linear_2)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """What is added to tokens (places, F, C): (F, C)."""
        waves = sinusoids(torch.arange(tokens.shape[1], device=tokens.device), tokens.shape[2])
        return self.linear_2(nnf.silu(self.linear_1(waves.to(tokens.dtype))))


class AlignYourLatents(nn.Module):
    """All temporal layers of a UNet; the blocks of one transformer share their embedding and their blend."""

    def __init__(self, config: AlignConfig, operations=nn, device=None, dtype=None):
        super().__init__()
        self.config = config
        make = {"operations": operations, "device": device, "dtype": dtype}
        for name, channels in config.resblocks.items():
            layer = TemporalResBlock(channels, config.emb_channels, **make)
            add_at_path(self, f"{name}.temporal_res_block", layer)
            add_at_path(self, f"{name}.time_mixer", Blend(device, dtype))
        for name, channels in config.attentions.items():
            add_at_path(self, _temporal_name(name), TemporalTransformerBlock(channels, **make))
            transformer = _transformer_of(name)
            if not hasattr(self.get_submodule(transformer), "time_mixer"):
                add_at_path(self, f"{transformer}.time_pos_embed", FrameEmbedding(channels, **make))
                add_at_path(self, f"{transformer}.time_mixer", Blend(device, dtype))


def _temporal_name(block: str) -> str:
    return block.replace(".transformer_blocks.", ".temporal_transformer_blocks.")


def _transformer_of(block: str) -> str:
    return block.partition(".transformer_blocks.")[0]


def acts(network: AlignYourLatents, places: UNetPlaces) -> Acts:
    """A temporal layer behind every ResBlock and every transformer block."""
    found: dict[str, Act] = {}
    for name, place in places.resblocks().items():
        layers = network.get_submodule(name)
        found[place.path] = _behind_resblock(layers.temporal_res_block, layers.time_mixer)
    for name, place in places.attentions().items():
        block = network.get_submodule(_temporal_name(name))
        shared = network.get_submodule(_transformer_of(name))
        found[place.path] = _behind_transformer_block(block, shared, place.heads)
    return found


def _behind_resblock(layer: TemporalResBlock, blend: Blend) -> Act:
    def act(call: Call, inner: Act, x: torch.Tensor, emb: torch.Tensor, *args, **kwargs) -> torch.Tensor:
        x = inner(x, emb, *args, **kwargs)
        if call.num_frames == 1:
            return x
        emb = rearrange(emb, "(b f) e -> b f e", f=call.num_frames)
        return call.add(x, over_video(lambda video: blend(layer(video, emb)), x, call.num_frames))

    return act


def _behind_transformer_block(block: TemporalTransformerBlock, shared: nn.Module, heads: int) -> Act:
    def act(call: Call, inner: Act, x: torch.Tensor, *args, **kwargs) -> torch.Tensor:
        x = inner(x, *args, **kwargs)
        if call.num_frames == 1:
            return x
        tokens = rearrange(x, "(b f) t c -> (b t) f c", f=call.num_frames)
        temporal = block(tokens + shared.time_pos_embed(tokens), heads, call.attention)
        change = shared.time_mixer(temporal - tokens)
        return call.add(x, rearrange(change, "(b t) f c -> (b f) t c", t=x.shape[1]))

    return act


def read(tensors: StateDict, file_name: str) -> tuple[AlignConfig, StateDict]:
    """Config and weights of a file.

    Raises ValueError for a file that is incomplete or damaged.
    """
    resblocks = widths_in(tensors, _RESBLOCK, "temporal_res_block.conv2.weight", file_name, GROUPS)
    temporal = widths_in(tensors, _ATTENTION, "norm_in.weight", file_name)
    attentions = {name.replace(".temporal_transformer_blocks.", ".transformer_blocks."): channels
                  for name, channels in temporal.items()}  # fmt: skip
    widths = [tensors.get(f"{name}.temporal_res_block.time_emb_proj.weight") for name in resblocks]
    emb_channels = next((width.shape[1] for width in widths if width is not None and width.ndim == 2), 0)
    config = AlignConfig(resblocks, attentions, emb_channels)
    return config, weights_for(AlignYourLatents(config, device="meta"), tensors, file_name)


def new(places: UNetPlaces) -> AlignConfig:
    """A temporal layer for every ResBlock and every transformer block."""
    resblocks = {name: place.channels for name, place in places.resblocks().items()}
    attentions = {name: place.channels for name, place in places.attentions().items()}
    return AlignConfig(resblocks, attentions, places.emb_channels)


def misfit(network: AlignYourLatents, places: UNetPlaces) -> str:
    """Why the layers do not fit a UNet; empty when they do."""
    config = network.config
    wrong = attention_misfit(config.attentions, places) or resblock_misfit(config.resblocks, places)
    if not wrong and config.emb_channels != places.emb_channels:
        return (
            f"it reads noise levels of {config.emb_channels} channels, this checkpoint has "
            f"{places.emb_channels}"
        )
    return wrong


METHOD = TemporalMethod(
    name="Align Your Latents",
    claims=lambda keys: (
        any(_RESBLOCK.match(key) for key in keys) and not any(_IMAGE_PART in key for key in keys)
    ),
    read=read,
    build=AlignYourLatents,
    acts=acts,
    new=new,
    misfit=misfit,
    title=lambda config: f"Align Your Latents, {len(config.resblocks) + len(config.attentions)} layers",
)
