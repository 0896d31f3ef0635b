"""Layers of Show-1's pixel networks: ResNets that scale, attention to image and text at once, pooled text.

Source: Show-1 (Zhang et al. 2023, arXiv 2309.15818, section 3) and github.com/showlab/Show-1,
showone/models/unet_3d_blocks.py; the layers themselves are those of DeepFloyd IF as diffusers has them
(ResnetBlock2D, AttnAddedKVProcessor, TextTimeEmbedding). Names are the published ones.

Letters: B videos, F frames of a video in this call, N = B*F images, C channels, H height, W width, T tokens,
D width of the text, E of the time embedding.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from comfy.ldm.modules.attention import optimized_attention
from einops import rearrange
from torch import nn
from torch.nn.functional import avg_pool2d, gelu, interpolate

from ...motion_modules.call import running_frames
from ...shapes import fold_frames, unfold_frames
from ..temporal_layers import OPERATIONS, TemporalConv, TemporalTransformer

HEAD_CHANNELS = 64
"""Of the spatial attentions. The temporal ones have this many heads instead:
the reference swaps the two arguments.
"""
POOLING_HEADS = 64


class EmbeddingLayers(nn.Module):
    """Linear, GELU, Linear."""

    def __init__(self, width_in: int, width_out: int, dtype=None, device=None, operations=OPERATIONS):
        super().__init__()
        self.linear_1 = operations.Linear(width_in, width_out, dtype=dtype, device=device)
        self.linear_2 = operations.Linear(width_out, width_out, dtype=dtype, device=device)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, width_in) -> (N, width_out)."""
        return self.linear_2(gelu(self.linear_1(x)))


class TextPooling(nn.Module):
    """One vector of a text: attention of its mean over its tokens."""

    def __init__(self, width: int, heads: int, dtype=None, device=None, operations=OPERATIONS):
        super().__init__()
        factory_kwargs = {"dtype": dtype, "device": device}
        self.heads = heads
        self.positional_embedding = nn.Parameter(torch.empty(1, width, **factory_kwargs), requires_grad=False)
        for name in ("k_proj", "q_proj", "v_proj"):
            self.add_module(name, operations.Linear(width, width, **factory_kwargs))

    def forward(self, text: torch.Tensor) -> torch.Tensor:
        """(N, T, D) -> (N, D)."""
        mean = text.mean(dim=1, keepdim=True) + self.positional_embedding.to(text)
        text = torch.cat((mean, text), dim=1)
        return optimized_attention(
            self.q_proj(mean), self.k_proj(text), self.v_proj(text), self.heads
        ).squeeze(1)


class TextTimeEmbedding(nn.Module):
    """The text as a part of the time embedding."""

    def __init__(
        self, width: int, emb_channels: int, heads: int, dtype=None, device=None, operations=OPERATIONS
    ):
        super().__init__()
        factory_kwargs = {"dtype": dtype, "device": device}
        self.norm1 = operations.LayerNorm(width, **factory_kwargs)
        self.pool = TextPooling(width, heads, operations=operations, **factory_kwargs)
        self.proj = operations.Linear(width, emb_channels, **factory_kwargs)
        self.norm2 = operations.LayerNorm(emb_channels, **factory_kwargs)

    def forward(self, text: torch.Tensor) -> torch.Tensor:
        """(N, T, D) -> (N, E)."""
        return self.norm2(self.proj(self.pool(self.norm1(text))))


class PixelResnet(nn.Module):
    """Norm, GELU, convolution, twice; the time embedding scales and shifts after the second norm.

    resample: "down" (mean of 2x2), "up" (every pixel four times) or "" between first activation and first
    convolution. late_activation: the time embedding comes activated, and the sum is divided by output_scale
    (sr1); else it is activated here.
    """

    def __init__(
        self,
        channels: int,
        out_channels: int,
        emb_channels: int,
        resample: str = "",
        late_activation: bool = False,
        output_scale: float = 1.0,
        dtype=None,
        device=None,
        operations=OPERATIONS,
    ):
        super().__init__()
        factory_kwargs = {"dtype": dtype, "device": device}
        self.resample, self.late_activation, self.output_scale = resample, late_activation, output_scale
        self.norm1 = operations.GroupNorm(32, channels, **factory_kwargs)
        self.conv1 = operations.Conv2d(channels, out_channels, 3, padding=1, **factory_kwargs)
        self.time_emb_proj = operations.Linear(emb_channels, 2 * out_channels, **factory_kwargs)
        self.norm2 = operations.GroupNorm(32, out_channels, **factory_kwargs)
        self.conv2 = operations.Conv2d(out_channels, out_channels, 3, padding=1, **factory_kwargs)
        self.conv_shortcut = (
            operations.Conv2d(channels, out_channels, 1, **factory_kwargs)
            if channels != out_channels
            else None
        )

    def _resized(self, x: torch.Tensor) -> torch.Tensor:
        if self.resample == "down":
            return avg_pool2d(x, 2)
        return interpolate(x, scale_factor=2.0, mode="nearest") if self.resample == "up" else x

    def forward(self, x: torch.Tensor, emb: torch.Tensor) -> torch.Tensor:
        """x (N, C, H, W), emb (N, E) -> (N, C', H', W')."""
        h = self.conv1(self._resized(gelu(self.norm1(x))))
        emb = self.time_emb_proj(emb if self.late_activation else gelu(emb))
        scale, shift = emb[:, :, None, None].chunk(2, dim=1)
        h = self.conv2(gelu(self.norm2(h) * (1 + scale) + shift))
        x = self._resized(x)
        x = x if self.conv_shortcut is None else self.conv_shortcut(x)
        return (x + h) / self.output_scale


class AddedTextAttention(nn.Module):
    """Attention of every pixel to the image's pixels and the text's tokens together."""

    def __init__(
        self,
        channels: int,
        context_dim: int,
        head_channels: int,
        dtype=None,
        device=None,
        operations=OPERATIONS,
    ):
        super().__init__()
        factory_kwargs = {"dtype": dtype, "device": device}
        self.heads = channels // head_channels
        self.group_norm = operations.GroupNorm(32, channels, **factory_kwargs)
        self.norm_cross = operations.GroupNorm(32, context_dim, **factory_kwargs)
        for name, width in (
            ("to_q", channels),
            ("to_k", channels),
            ("to_v", channels),
            ("add_k_proj", context_dim),
            ("add_v_proj", context_dim),
        ):
            self.add_module(name, operations.Linear(width, channels, **factory_kwargs))
        self.to_out = nn.Sequential(operations.Linear(channels, channels, **factory_kwargs))

    def forward(self, x: torch.Tensor, context: torch.Tensor, transformer_options: dict) -> torch.Tensor:
        """x (N, C, H, W), context (N, T, D) -> (N, C, H, W)."""
        pixels = rearrange(self.group_norm(x), "n c h w -> n (h w) c")
        text = self.norm_cross(context.transpose(1, 2)).transpose(1, 2)
        k = torch.cat((self.add_k_proj(text), self.to_k(pixels)), dim=1)
        v = torch.cat((self.add_v_proj(text), self.to_v(pixels)), dim=1)
        out = self.to_out(
            optimized_attention(self.to_q(pixels), k, v, self.heads, transformer_options=transformer_options)
        )
        return x + rearrange(out, "n (h w) c -> n c h w", h=x.shape[2])


class Level(nn.Module):
    """The layers of one resolution: per layer a ResNet, a temporal convolution
    and, for the first `attentions` layers, attention to pixels and text and
    attention over frames; then a ResNet that halves or doubles the size.

    inputs: channels that go into each layer. resnet: further arguments of every PixelResnet.
    """

    def __init__(
        self,
        inputs: Sequence[int],
        channels: int,
        emb_channels: int,
        context_dim: int,
        attentions: int,
        resample: str = "",
        head_channels: int = HEAD_CHANNELS,
        resnet: dict | None = None,
        dtype=None,
        device=None,
        operations=OPERATIONS,
    ):
        super().__init__()
        factory_kwargs = {"dtype": dtype, "device": device, "operations": operations}
        resnet = {**factory_kwargs, **(resnet or {})}
        self.resnets = nn.ModuleList(
            [PixelResnet(width, channels, emb_channels, **resnet) for width in inputs]
        )
        self.temp_convs = nn.ModuleList([TemporalConv(channels, **factory_kwargs) for _ in inputs])
        self.attentions = nn.ModuleList(
            [
                AddedTextAttention(channels, context_dim, head_channels, **factory_kwargs)
                for _ in range(attentions)
            ]
        )
        heads = {"heads": head_channels, "head_dim": channels // head_channels, "linear": True}
        self.temp_attentions = nn.ModuleList(
            [TemporalTransformer(channels, **heads, **factory_kwargs) for _ in range(attentions)]
        )
        samplers = [PixelResnet(channels, channels, emb_channels, resample, **resnet)] if resample else []
        self.downsamplers = nn.ModuleList(samplers if resample == "down" else [])
        self.upsamplers = nn.ModuleList(samplers if resample == "up" else [])

    def layer(
        self, index: int, x: torch.Tensor, emb: torch.Tensor, context: torch.Tensor, options: dict
    ) -> torch.Tensor:
        """Layer `index`: x (N, C, H, W), emb (N, E), context (N, T, D) -> (N, C', H, W)."""
        x = self.resnets[index](x, emb)
        x = fold_frames(self.temp_convs[index](unfold_frames(x, running_frames())))
        if index < len(self.attentions):
            x = self.attentions[index](x, context, options)
            x = self.temp_attentions[index](x)
        return x
