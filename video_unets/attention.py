"""Attention in video networks, with no work done twice: layers that see single tokens run where the images
have them, a text that all frames of a video share is read once.

Source of the relative positions: VideoCrafter1 (Chen et al. 2023, arXiv 2310.19512;
github.com/AILab-CVC/VideoCrafter), after Shaw et al. 2018, arXiv 1803.02155. The rest is arithmetic.

Letters: B videos, F frames of a video in this call, N = B*F images, P pixels of an image, C channels, S
tokens of a text, D their width.
"""

from __future__ import annotations

from collections.abc import Callable

import comfy.ops
import torch
from comfy.ldm.modules import attention as core
from comfy.ldm.modules.attention import CrossAttention
from einops import rearrange
from torch import nn

from ..motion_modules.call import Forward, running_forward, running_frames

OVERRIDE = "optimized_attention_override"
"""The key of transformer_options under which others put an attention of their own."""
_TEXTS = "texts of the videos"


class RelativePositions(nn.Module):
    """A learned vector for every distance between two frames, distances beyond the trained ones clamped."""

    def __init__(self, head_dim: int, max_distance: int, dtype=None, device=None):
        super().__init__()
        self.max_distance = max_distance
        self.embeddings_table = nn.Parameter(
            torch.empty(2 * max_distance + 1, head_dim, dtype=dtype, device=device), requires_grad=False
        )

    def forward(self, like: torch.Tensor, num_frames: int) -> torch.Tensor:
        """(F, F, head_dim) in dtype and on the device of `like`:
        row = the frame that looks, column = the one looked at.
        """
        place = torch.arange(num_frames, device=like.device)
        distance = (place[None, :] - place[:, None]).clamp(
            -self.max_distance, self.max_distance
        ) + self.max_distance
        return comfy.ops.cast_to_input(self.embeddings_table, like)[distance]


def attend_over_frames(
    attention: CrossAttention, x: torch.Tensor, num_frames: int, attend: Callable | None = None
) -> torch.Tensor:
    """Self-attention over the frames of every pixel: x (N, P, C) -> the same shape.

    attend: (q, k, v) -> out, all (B*P, F, C); None for ComfyUI's attention.
    """
    q, k, v = (
        rearrange(to(x), "(b f) p c -> (b p) f c", f=num_frames)
        for to in (attention.to_q, attention.to_k, attention.to_v)
    )
    if attend is None:
        out = core.optimized_attention(q, k, v, attention.heads, attn_precision=attention.attn_precision)
    else:
        out = attend(q, k, v)
    return attention.to_out(rearrange(out, "(b p) f c -> (b f) p c", p=x.shape[1]))


class FrameAttention(CrossAttention):
    """Self-attention over the frames of every pixel."""

    def forward(self, x, context=None, value=None, mask=None, transformer_options=None):
        """x (N, P, C) -> the same shape; attends to x alone."""
        return attend_over_frames(self, x, running_frames())


class RelativePositionAttention(CrossAttention):
    """Self-attention over frames whose keys and values know how far the other frame is."""

    def __init__(self, query_dim: int, heads: int, dim_head: int, max_distance: int, **factory_kwargs):
        super().__init__(query_dim, heads=heads, dim_head=dim_head, **factory_kwargs)
        tensors = {name: factory_kwargs.get(name) for name in ("dtype", "device")}
        self.relative_position_k = RelativePositions(dim_head, max_distance, **tensors)
        self.relative_position_v = RelativePositions(dim_head, max_distance, **tensors)

    def forward(self, x, context=None, value=None, mask=None, transformer_options=None):
        """x (N, P, C) -> the same shape; attends to x alone."""
        return attend_over_frames(self, x, running_frames(), self._attend)

    def _attend(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        """q, k, v (n, F, C) -> (n, F, C)."""
        num_frames = q.shape[1]
        q, k, v = (rearrange(x, "n f (h d) -> n h f d", h=self.heads) for x in (q, k, v))
        towards = self.relative_position_k(q, num_frames)
        weights = q @ k.transpose(-1, -2) + torch.einsum("n h t d, t s d -> n h t s", q, towards)
        weights = (weights.float() * self.dim_head**-0.5).softmax(dim=-1).to(q.dtype)
        values = self.relative_position_v(v, num_frames)
        out = weights @ v + torch.einsum("n h t s, t s d -> n h t d", weights, values)
        return rearrange(out, "n h f d -> n f (h d)")


def attend_to_texts(attention: CrossAttention, x: torch.Tensor, texts: torch.Tensor) -> torch.Tensor:
    """Attention of all frames of a video to one text: x (N, P, C), texts (B, S, D) -> (N, P, C).

    The weight of a single token is 1 whatever the queries are, so its value is the result.
    """
    videos = len(texts)
    if texts.shape[1] == 1:
        out = attention.to_out(attention.to_v(texts))
        return out.repeat_interleave(len(x) // videos, 0).expand(-1, x.shape[1], -1)
    q = rearrange(attention.to_q(x), "(b f) p c -> b (f p) c", b=videos)
    k, v = attention.to_k(texts), attention.to_v(texts)
    out = core.optimized_attention(q, k, v, attention.heads, attn_precision=attention.attn_precision)
    return attention.to_out(rearrange(out, "b (f p) c -> (b f) p c", p=x.shape[1]))


def note_texts(forward: Forward, context: torch.Tensor | None) -> None:
    """Notes for the layers of a forward whether all frames of each video have one text: context (N, S, D)."""
    if context is None or len(context) != forward.num_images:
        return
    if context.is_meta or torch.compiler.is_compiling():  # there are no values to compare
        return
    videos = context.unflatten(0, (-1, forward.num_frames))
    if torch.equal(videos, videos[:, :1].expand_as(videos)):
        forward.calls[_TEXTS] = context, videos[:, 0]


class TextAttention(CrossAttention):
    """Core's attention to the text, which reads a text that all frames of a video share once.

    Contexts that a patch has changed, masks and attentions of others get core's own way.
    """

    @classmethod
    def like(cls, attention: CrossAttention, **factory_kwargs) -> TextAttention:
        """One of the same sizes, weights not set."""
        sizes = attention.to_q.in_features, attention.to_k.in_features, attention.heads, attention.dim_head
        return cls(*sizes, attn_precision=attention.attn_precision, **factory_kwargs)

    def forward(self, x, context=None, value=None, mask=None, transformer_options=None):
        """x (N, P, C), context (N, S, D) -> (N, P, C)."""
        options, forward = transformer_options or {}, running_forward()
        noted, texts = forward.calls.get(_TEXTS, (None, None)) if forward else (None, None)
        if noted is None or noted is not context or OVERRIDE in options:
            return super().forward(x, context, value, mask, options)
        if value is not None and value is not context or mask is not None:
            return super().forward(x, context, value, mask, options)
        return attend_to_texts(self, x, texts).contiguous()  # a patch may write into it
