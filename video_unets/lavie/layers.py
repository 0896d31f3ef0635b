"""LaVie's way of adding time to an image UNet:
norms over all frames, attention over frames inside the transformer blocks.

Source: LaVie (Wang et al. 2023, arXiv 2309.15103, section 3) and its published
implementation (github.com/Vchitect/LaVie, base/models, interpolation/models,
vsr/models), which fixes where each layer stands. Rotary positions after Su et al. 2021,
arXiv 2104.09864; distance buckets after T5 (Raffel et al. 2020, arXiv 1910.10683).

Letters: B videos, F frames of a video in this call, N = B*F
images, C channels, H height, W width, T tokens of an image.
"""

from __future__ import annotations

import functools
import math

import comfy.ops
import torch
from comfy.ldm.modules.attention import CrossAttention, FeedForward, optimized_attention
from comfy.ldm.modules.diffusionmodules.openaimodel import TimestepBlock
from einops import rearrange
from torch import nn

from ...motion_modules.call import running_frames
from ...shapes import fold_frames, unfold_frames

OPERATIONS = comfy.ops.disable_weight_init
ROTATED = 32
"""How many of a head's channels carry rotary positions, whatever the head's size."""
BUCKETS, FARTHEST = 32, 32


@functools.cache
def joint_norm_class(group_norm: type) -> type:
    """The given GroupNorm class,
    taking its statistics over all frames of a video instead of frame by frame.
    """

    class JointGroupNorm(group_norm):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            """images (N, C, H, W) -> the same shape."""
            return fold_frames(super().forward(unfold_frames(images, running_frames())))

    return JointGroupNorm


def relative_buckets(num_frames: int) -> torch.Tensor:
    """(F, F) numbers of T5's 32 distance buckets: row = the frame that looks, column = the one looked at.

    Three frames: [[0, 17, 18], [1, 0, 17], [2, 1, 0]]; frames that come later have the upper half.
    """
    place = torch.arange(num_frames)
    behind = place[:, None] - place[None, :]
    half = BUCKETS // 2
    exact = half // 2
    distance = behind.abs()
    scaled = torch.log(distance.clamp(min=1).float() / exact) / math.log(FARTHEST / exact) * (half - exact)
    far = (exact + scaled.long()).clamp(max=half - 1)
    return torch.where(distance < exact, distance, far) + (behind < 0).long() * half


def rotate(x: torch.Tensor, freqs: torch.Tensor) -> torch.Tensor:
    """Turns neighbouring pairs of the first 32 channels by place times frequency:
    x (..., F, D), freqs (16,) -> the same shape as x.
    """
    angle = torch.arange(x.shape[-2], device=x.device, dtype=torch.float32)[:, None] * freqs.to(
        x.device, torch.float32
    )
    cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    even, odd = x[..., 0:ROTATED:2], x[..., 1:ROTATED:2]
    turned = torch.stack((even * cos - odd * sin, odd * cos + even * sin), dim=-1).flatten(-2)
    return torch.cat((turned, x[..., ROTATED:]), dim=-1)


class RotaryPositions(nn.Module):
    """The rotary frequencies as the files hold them, once per attention."""

    def __init__(self, device=None):
        super().__init__()
        # float32 in every model dtype: in half precision the slow frequencies would be rounded away.
        self.freqs = nn.Parameter(
            torch.empty(ROTATED // 2, dtype=torch.float32, device=device), requires_grad=False
        )


class RelativeBias(nn.Module):
    """A learned number per head and distance bucket, added to the attention scores."""

    def __init__(self, heads: int, dtype=None, device=None, operations=OPERATIONS):
        super().__init__()
        self.relative_attention_bias = operations.Embedding(BUCKETS, heads, dtype=dtype, device=device)

    def forward(self, num_frames: int, like: torch.Tensor) -> torch.Tensor:
        """(heads, F, F) in dtype and on the device of `like`."""
        bias = self.relative_attention_bias(relative_buckets(num_frames).to(like.device))
        return rearrange(bias, "f g h -> h f g").to(like.dtype)


class FrameAttention(CrossAttention):
    """Self-attention over frames with rotary positions and a bias per distance."""

    def __init__(
        self, channels: int, heads: int, head_dim: int, dtype=None, device=None, operations=OPERATIONS
    ):
        super().__init__(
            channels, heads=heads, dim_head=head_dim, dtype=dtype, device=device, operations=operations
        )
        self.rotary_emb = RotaryPositions(device=device)
        self.time_rel_pos_bias = RelativeBias(heads, dtype=dtype, device=device, operations=operations)

    def forward(self, x, context=None, value=None, mask=None, transformer_options=None):
        """x (B*T, F, C) -> the same shape; attends to x alone."""
        q, k, v = (
            rearrange(to(x), "n f (h d) -> n h f d", h=self.heads) for to in (self.to_q, self.to_k, self.to_v)
        )
        q, k = rotate(q * self.dim_head**-0.5, self.rotary_emb.freqs), rotate(k, self.rotary_emb.freqs)
        scores = q @ k.transpose(-1, -2) + self.time_rel_pos_bias(x.shape[1], q)
        weights = scores.float().softmax(dim=-1).to(v.dtype)
        return self.to_out(rearrange(weights @ v, "n h f d -> n f (h d)"))


class SparseCausalAttention(CrossAttention):
    """Self-attention of an image whose keys and values are those
    of the video's first frame and of the frame before.
    """

    def forward(self, x, context=None, value=None, mask=None, transformer_options=None):
        """x (N, T, C) -> the same shape."""
        context = x if context is None else context
        k, v = self.to_k(context), self.to_v(context if value is None else value)
        # Projected once per frame and then repeated, not the other way round.
        out = optimized_attention(
            self.to_q(x),
            self._first_and_previous(k),
            self._first_and_previous(v),
            self.heads,
            attn_precision=self.attn_precision,
            transformer_options=transformer_options or {},
        )
        return self.to_out(out)

    @staticmethod
    def _first_and_previous(tokens: torch.Tensor) -> torch.Tensor:
        """tokens (N, T, C) -> (N, 2*T, C).

        Four frames 0 1 2 3 see the frames 00 00 01 02.
        """
        num_frames = running_frames()
        video = rearrange(tokens, "(b f) t c -> b f t c", f=num_frames)
        before = torch.arange(-1, num_frames - 1, device=tokens.device).clamp(min=0)
        seen = torch.cat((video[:, :1].expand_as(video), video[:, before]), dim=2)
        return rearrange(seen, "b f t c -> (b f) t c")


class FramesAndFeedForward(FeedForward):
    """Core's feed-forward and, before or after it, attention over frames, each with its norm and residual.

    Stands where a transformer block has its feed-forward, so that everything before
    it (self-attention, text, and the patches of other packs on both) stays core's.
    The block's own norm in front must be an Identity: the norms are in here.
    """

    def __init__(
        self,
        channels: int,
        attention: CrossAttention,
        frames_first: bool,
        dtype=None,
        device=None,
        operations=OPERATIONS,
    ):
        factory_kwargs = {"dtype": dtype, "device": device}
        super().__init__(channels, glu=True, operations=operations, **factory_kwargs)
        self.norm3 = operations.LayerNorm(channels, **factory_kwargs)
        self.norm_temp = operations.LayerNorm(channels, **factory_kwargs)
        self.attn_temp = attention
        self.frames_first = frames_first

    def _over_frames(self, x: torch.Tensor) -> torch.Tensor:
        video = rearrange(self.norm_temp(x), "(b f) t c -> (b t) f c", f=running_frames())
        return rearrange(self.attn_temp(video), "(b t) f c -> (b f) t c", t=x.shape[1])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x (N, T, C), the block's stream -> what the block is to add to it, of the same shape."""
        if self.frames_first:
            change = self._over_frames(x)
            return change + self.net(self.norm3(x + change))
        change = self.net(self.norm3(x))
        return change + self._over_frames(x + change)


class VideoResidual(nn.Module):
    """Norm, SiLU, convolution, twice, added to the input; the norms see all frames; the timestep comes
    between where emb_channels is given.

    kernels: of the two convolutions over (F, H, W).
    """

    def __init__(
        self, channels: int, kernels, emb_channels: int = 0, dtype=None, device=None, operations=OPERATIONS
    ):
        super().__init__()
        factory_kwargs = {"dtype": dtype, "device": device}
        for i, kernel in enumerate(kernels, 1):
            self.add_module(f"norm{i}", operations.GroupNorm(32, channels, eps=1e-6, **factory_kwargs))
            conv = operations.Conv3d if len(kernel) == 3 else operations.Conv2d
            self.add_module(
                f"conv{i}",
                conv(channels, channels, kernel, padding=tuple(k // 2 for k in kernel), **factory_kwargs),
            )
        self.time_emb_proj = (
            operations.Linear(emb_channels, channels, **factory_kwargs) if emb_channels else None
        )

    def forward(self, images: torch.Tensor, emb: torch.Tensor | None = None) -> torch.Tensor:
        """images (N, C, H, W), emb (N, E) -> (N, C, H, W)."""
        h = self._convolve(self.conv1, self.norm1, images)
        if self.time_emb_proj is not None:
            h = h + self.time_emb_proj(nn.functional.silu(emb))[:, :, None, None].to(h.dtype)
        return images + self._convolve(self.conv2, self.norm2, h)

    @staticmethod
    def _convolve(conv, norm, images: torch.Tensor) -> torch.Tensor:
        video = nn.functional.silu(norm(unfold_frames(images, running_frames())))
        return fold_frames(conv(video)) if conv.weight.ndim == 5 else conv(fold_frames(video))


class TemporalModule(TimestepBlock):
    """What the upscaler has between its levels:
    a residual block over five and three frames, one in space, a 1x1 convolution.
    """

    def __init__(self, channels: int, emb_channels: int, dtype=None, device=None, operations=OPERATIONS):
        super().__init__()
        factory_kwargs = {"dtype": dtype, "device": device, "operations": operations}
        self.resblocks_3d_t = VideoResidual(channels, ((5, 1, 1), (3, 1, 1)), emb_channels, **factory_kwargs)
        self.resblocks_3d_s = VideoResidual(channels, ((3, 3), (3, 3)), emb_channels, **factory_kwargs)
        self.shift_conv = operations.Conv2d(channels, channels, 1, dtype=dtype, device=device)

    def forward(self, x: torch.Tensor, emb: torch.Tensor) -> torch.Tensor:
        """x (N, C, H, W), emb (N, E) -> (N, C, H, W)."""
        return x + self.shift_conv(self.resblocks_3d_s(self.resblocks_3d_t(x, emb), emb))
