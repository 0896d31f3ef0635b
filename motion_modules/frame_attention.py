"""Attention between frames at the attentions that a UNet has; attention over frames, and layers of whole
videos, behind its blocks.

Letters: N images, B videos, F frames, N = B*F, T tokens of an image, C channels, H height, W width. Packs
that work on tiles put S tiles of an image in the batch, one after another.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from einops import rearrange
from torch import nn

from ..shapes import fold_frames, unfold_frames
from .call import Attention, Call
from .points import Act
from .zero_layers import start_at_zero

Source = Callable[[torch.Tensor, Call], torch.Tensor]
"""source(features (B, F, T, C), call) -> what each frame reads instead of itself (B, F, T', C)."""


def attend_to_frames(source: Source) -> Act:
    """An act around a self-attention: its keys and values come from other frames of the same video.

    Where another pack gives the attention a context of its own, that is what is taken from other frames.
    """

    def act(call: Call, inner: Act, x: torch.Tensor, context=None, value=None, **kwargs) -> torch.Tensor:
        if call.num_frames == 1 or call.strength == 0:
            return inner(x, context=context, value=value, **kwargs)
        keys = _of_frames(source, x if context is None else context, call)
        values = keys if value is None or value is context else _of_frames(source, value, call)
        keys, values = _for_each_tile(keys, x), _for_each_tile(values, x)
        changed = inner(x, context=keys, value=values, **kwargs)
        return call.replace(lambda: inner(x, context=context, value=value, **kwargs), changed)

    return act


def _of_frames(source: Source, features: torch.Tensor, call: Call) -> torch.Tensor:
    tiles = features.shape[0] // call.forward.num_images
    video = rearrange(features, "(b f s) t c -> (b s) f t c", f=call.num_frames, s=tiles)
    return rearrange(source(video, call), "(b s) f t c -> (b f s) t c", s=tiles)


def _for_each_tile(features: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Keys or values of whole images for queries x that are tiles of them, as ComfyUI's HyperTile hands them:
    every tile reads all of its image's.
    """
    return features.repeat_interleave(x.shape[0] // features.shape[0], 0)


class TemporalAttention(nn.Module):
    """Attention over frames, or to another sequence, with separate projections, as diffusers names them.

    The last projection of a new one is zero, so it adds nothing.
    """

    def __init__(self, channels: int, operations=nn, device=None, dtype=None):
        super().__init__()
        factory_kwargs = {"device": device, "dtype": dtype}
        for name in ("to_q", "to_k", "to_v"):
            self.add_module(name, operations.Linear(channels, channels, bias=False, **factory_kwargs))
        self.to_out = nn.Sequential(operations.Linear(channels, channels, **factory_kwargs))
        start_at_zero(self.to_out[0])

    def forward(
        self, tokens: torch.Tensor, heads: int, attention: Attention, context: torch.Tensor | None = None
    ) -> torch.Tensor:
        """tokens (places, F, C) -> (places, F, C). context (places, T, C): what they read instead of
        themselves.
        """
        read = tokens if context is None else context
        return self.to_out(attention(self.to_q(tokens), self.to_k(read), self.to_v(read), heads))


def attention_over_frames(norm: nn.Module, layer: TemporalAttention, heads: int) -> Act:
    """An act around a transformer block, tokens (N, T, C): attention over the frames of each token, added."""

    def act(call: Call, inner: Act, x: torch.Tensor, *args, **kwargs) -> torch.Tensor:
        x = inner(x, *args, **kwargs)
        tokens = rearrange(x, "(b f) t c -> (b t) f c", f=call.num_frames)
        change = layer(norm(tokens), heads, call.attention)
        return call.add(x, rearrange(change, "(b t) f c -> (b f) t c", t=x.shape[1]))

    return act


def behind_layer(layer: Callable[[torch.Tensor, Call], torch.Tensor]) -> Act:
    """An act around a layer of images (N, C, H, W): what `layer` makes of the frames of every place, added.

    layer(tokens (B*H*W, F, C), call) -> the same shape.
    """

    def act(call: Call, inner: Act, x: torch.Tensor, *args, **kwargs) -> torch.Tensor:
        x = inner(x, *args, **kwargs)
        change = layer(rearrange(x, "(b f) c h w -> (b h w) f c", f=call.num_frames), call)
        h, w = x.shape[-2:]
        return call.add(x, rearrange(change, "(b h w) f c -> (b f) c h w", h=h, w=w))

    return act


def over_video(
    layer: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor, num_frames: int
) -> torch.Tensor:
    """What a layer of videos (B, C, F, H, W) makes of images x (N, C, H, W), as images."""
    return fold_frames(layer(unfold_frames(x, num_frames)))
