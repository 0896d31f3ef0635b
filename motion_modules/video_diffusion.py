"""Video Diffusion Models' factorised attention: behind every spatial transformer one over frames, which knows
how far apart two frames are.

Source: Ho et al. 2022, arXiv 2204.03458, section 3: attention over frames behind each attention over space,
relative position embeddings, and training on videos and images at once, where a mask keeps images apart. No
code is published; github.com/lucidrains/video-diffusion-pytorch fixes the details: T5's buckets, rotary
embeddings of queries and keys, a norm without bias, one table of biases for all layers. Ours: the last
projection of a new one is zero; that code's attention behind the first convolution is left out.

Letters: N images, B videos, F frames, N = B*F, C channels, D channels of a head.
Nothing is published for Stable Diffusion; names are this pack's own, the table's is that of the named code:

    down_blocks.0.attentions.0.factorised_attn.norm, .to_qkv, .to_out
    time_rel_pos_bias.relative_attention_bias.weight                (32, heads)
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from einops import rearrange
from torch import nn

from ..foreign_text import printable
from .attention_misfit import transformer_misfit
from .call import Attention, Call
from .file_tensors import StateDict, weights_for, widths_in
from .frame_attention import behind_layer
from .method import TemporalMethod
from .named_layers import add_at_path
from .points import Act, Acts
from .unet_places import UNetPlaces
from .zero_layers import start_at_zero

_ATTENTION = re.compile(r"^(.+\.attentions\.\d+)\.factorised_attn\.")
_TABLE = "time_rel_pos_bias.relative_attention_bias.weight"
NUM_BUCKETS, MAX_DISTANCE = 32, 32
ROTARY_CHANNELS, THETA = 32, 10000.0


@dataclass(frozen=True)
class VideoDiffusionConfig:
    """channels: C by the published name of a spatial transformer. heads: of every attention; head_channels: D
    of one.
    """

    channels: Mapping[str, int] = field(hash=False)
    heads: int = 8
    head_channels: int = 32


def distance_buckets(num_frames: int, device=None) -> torch.Tensor:
    """(F, F): the bucket of the distance of each key's frame from each query's.

    Source: T5 (Raffel et al. 2019, arXiv 1910.10683). A bucket for each of the first 8 distances, wider ones
    up to 32 frames; buckets from 16 on are for keys that come later. Frame 0 of 10 finds keys 0, 1, 7, 8 and
    9 in buckets 0, 17, 23, 24, 24.
    """
    frames = torch.arange(num_frames, device=device)
    offset = frames - frames[:, None]
    distance, half = offset.abs(), NUM_BUCKETS // 2
    exact = half // 2
    wider = torch.log(distance.clamp(min=1) / exact) / math.log(MAX_DISTANCE / exact) * (half - exact)
    far = (exact + wider.long()).clamp(max=half - 1)
    return half * (offset > 0) + torch.where(distance < exact, distance, far)


class RelativePositionBias(nn.Module):
    """What the distance of two frames adds to their scores."""

    def __init__(self, heads: int, operations=nn, device=None, dtype=None):
        super().__init__()
        table = operations.Embedding(NUM_BUCKETS, heads, device=device, dtype=dtype)
        self.relative_attention_bias = table

    def forward(self, num_frames: int, like: torch.Tensor) -> torch.Tensor:
        """(heads, F, F) in the dtype of `like`."""
        bias = self.relative_attention_bias(distance_buckets(num_frames, like.device))
        return bias.to(like.dtype).permute(2, 0, 1)


def rotated(tokens: torch.Tensor, heads: int) -> torch.Tensor:
    """Rotary embedding of queries or keys (places, F, heads*D): neighbouring channels of a head are turned by
    an angle that grows with the frame, the first 32 channels at most.

    Source: RoFormer (Su et al. 2021, arXiv 2104.09864).
    """
    x = rearrange(tokens, "p f (h d) -> p f h d", h=heads)
    channels = min(ROTARY_CHANNELS, x.shape[-1])
    rates = THETA ** -(torch.arange(0, channels, 2, device=x.device) / channels)
    angles = torch.arange(x.shape[1], device=x.device)[:, None, None] * rates
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., :channels].unflatten(-1, (-1, 2)).unbind(-1)
    turned = torch.stack((a * cos - b * sin, a * sin + b * cos), -1).flatten(-2)
    return torch.cat((turned, x[..., channels:]), -1).flatten(-2)


def keep_images_apart(bias: torch.Tensor, image_frames: torch.Tensor) -> torch.Tensor:
    """The biases (heads, F, F) for each video, (B, heads, F, F): an image among its frames sees only itself
    and no frame sees it. image_frames: (B, F) bool.
    """
    alone = torch.eye(bias.shape[-1], dtype=torch.bool, device=bias.device)
    of_video = ~image_frames.to(bias.device)
    together = alone | (of_video[:, :, None] & of_video[:, None, :])
    return torch.where(together[:, None], bias, -torch.inf)


class FactorisedAttention(nn.Module):
    """Attention over frames; its last projection is zero in a new one."""

    def __init__(self, channels: int, heads: int, head_channels: int, operations=nn, device=None, dtype=None):
        super().__init__()
        self.heads, inner, factory_kwargs = heads, heads * head_channels, {"device": device, "dtype": dtype}
        self.norm = operations.LayerNorm(channels, bias=False, **factory_kwargs)
        self.to_qkv = operations.Linear(channels, 3 * inner, bias=False, **factory_kwargs)
        self.to_out = operations.Linear(inner, channels, bias=False, **factory_kwargs)
        start_at_zero(self.to_out)

    def forward(self, tokens: torch.Tensor, bias: torch.Tensor, attention: Attention) -> torch.Tensor:
        """tokens (places, F, C), bias (1 or places, heads, F, F) -> (places, F, C)."""
        q, k, v = self.to_qkv(self.norm(tokens)).chunk(3, dim=-1)
        return self.to_out(
            attention(rotated(q, self.heads), rotated(k, self.heads), v, self.heads, mask=bias)
        )


class VideoDiffusion(nn.Module):
    """The attentions over frames of all spatial transformers of a UNet, and their table of biases."""

    def __init__(self, config: VideoDiffusionConfig, operations=nn, device=None, dtype=None):
        super().__init__()
        self.config = config
        make = {"operations": operations, "device": device, "dtype": dtype}
        self.time_rel_pos_bias = RelativePositionBias(config.heads, **make)
        for name, channels in config.channels.items():
            attention = FactorisedAttention(channels, config.heads, config.head_channels, **make)
            add_at_path(self, f"{name}.factorised_attn", attention)


def acts(network: VideoDiffusion, places: UNetPlaces) -> Acts:
    """Attention over frames behind every spatial transformer."""
    table = network.time_rel_pos_bias
    return {path: behind_transformer(network.get_submodule(f"{name}.factorised_attn"), table)
            for name, (path, _) in places.transformers().items()}  # fmt: skip


def behind_transformer(layer: FactorisedAttention, table: RelativePositionBias) -> Act:
    """An act around a spatial transformer: attention over frames, images among them kept apart."""

    def attend(tokens: torch.Tensor, call: Call) -> torch.Tensor:
        bias = table(call.num_frames, tokens)
        if call.image_frames is None:
            return layer(tokens, bias[None], call.attention)
        apart = keep_images_apart(bias, call.image_frames)
        of_places = apart.repeat_interleave(len(tokens) // call.num_videos, 0)
        return layer(tokens, of_places, call.attention)

    return behind_layer(attend)


def read(tensors: StateDict, file_name: str) -> tuple[VideoDiffusionConfig, StateDict]:
    """Config and weights of a file. Raises ValueError for one that is incomplete or damaged."""
    channels = widths_in(tensors, _ATTENTION, "factorised_attn.norm.weight", file_name)
    inner = (
        next(iter(widths_in(tensors, _ATTENTION, "factorised_attn.to_qkv.weight", file_name).values())) // 3
    )
    table = tensors.get(_TABLE)
    heads = table.shape[1] if table is not None and table.ndim == 2 and table.shape[1] else 1
    config = VideoDiffusionConfig(channels, heads, inner // heads)
    weights = weights_for(VideoDiffusion(config, device="meta"), tensors, file_name)
    if config.head_channels % 2:
        raise ValueError(
            f"'{printable(file_name)}' has heads of {config.head_channels} channels, which must be an even "
            "number, because they are turned in pairs; the file is damaged or of an unknown kind."
        )
    return config, weights


def new(places: UNetPlaces) -> VideoDiffusionConfig:
    """Attention over frames for every spatial transformer."""
    return VideoDiffusionConfig({name: channels for name, (_, channels) in places.transformers().items()})


METHOD = TemporalMethod(
    name="VDM factorised attention",
    claims=lambda keys: any(_ATTENTION.match(key) for key in keys),
    read=read,
    build=VideoDiffusion,
    acts=acts,
    new=new,
    misfit=lambda network, places: transformer_misfit(network.config.channels, places),
    title=lambda config: f"VDM, {len(config.channels)} attentions over frames",
)
