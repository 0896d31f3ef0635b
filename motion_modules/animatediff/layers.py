"""AnimateDiff's motion module:
temporal transformers that sit behind the spatial layers of a Stable Diffusion UNet.

Source: Guo et al. 2023, arXiv 2307.04725, section 4; the published implementation
(github.com/guoyww/AnimateDiff, models/motion_module.py) fixes the details: position table added after the
norm of every attention, GroupNorm eps 1e-6, eight heads, zero-initialised proj_out.

Letters: B videos, F frames, N = B*F images, C channels, H height, W width. Module and parameter names are
those of the published files, except that to_q, to_k, to_v are stored as one `to_qkv`
(motion_modules.animatediff.files converts both ways).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import nn

from ...frame_values import of_frames, treats_places_alike
from ...shapes import videos_in_batch
from ..call import Attention, Call, Views
from ..linear_products import fast_linear
from ..named_layers import add_at_path
from ..points import Act, Acts
from ..unet_places import UNetPlaces
from ..zero_layers import start_at_zero


def sdpa_attention(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, heads: int, mask: torch.Tensor | None = None
) -> torch.Tensor:
    """Softmax attention over the frame axis: q, k, v (batch, F, C) -> (batch, F, C).

    mask: added to the scores, float (1 or batch, heads, F, F).
    """
    q, k, v = (rearrange(t, "batch f (heads c) -> batch heads f c", heads=heads) for t in (q, k, v))
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    return rearrange(out, "batch heads f c -> batch f (heads c)")


def sinusoidal_table(length: int, channels: int) -> torch.Tensor:
    """The position table of the published modules, (1, length, channels) float32:
    sin on even, cos on odd channels.
    """
    position = torch.arange(length, dtype=torch.float32).unsqueeze(1)
    rate = torch.exp(torch.arange(0, channels, 2, dtype=torch.float32) * (-math.log(10000.0) / channels))
    table = torch.zeros(1, length, channels)
    table[0, :, 0::2] = torch.sin(position * rate)
    table[0, :, 1::2] = torch.cos(position * rate)
    return table


NORM_GROUPS = 32
"""Of the norm in front of every motion module, so C is a multiple of it."""

PIECE = 768
"""Tokens that go through all layers before the next do, on a CPU. What lies in between stays in its caches,
and its largest tensor, 8 C wide, below 32 MiB, above which memory is fetched anew from the system each time.
"""


@dataclass(frozen=True)
class MotionConfig:
    """What a motion module file says about itself; everything here is read from key names and shapes.

    `site_channels` maps the published prefix of a site ("down_blocks.0.motion_modules.1") to its channels C.
    """

    version: str
    site_channels: Mapping[str, int] = field(hash=False)
    position_length: int = 32
    num_attention_blocks: int = 2
    num_transformer_blocks: int = 1
    heads: int = 8

    @property
    def has_mid(self) -> bool:
        return any(site.startswith("mid_block.") for site in self.site_channels)

    @property
    def num_levels(self) -> int:
        """Resolution levels of the UNet it was made for: 4 in SD1.x and SD2.x, 3 in SDXL."""
        return 1 + max(
            int(site.split(".")[1]) for site in self.site_channels if site.startswith("down_blocks.")
        )

    @property
    def widths(self) -> list[int]:
        """Channels C of each resolution level."""
        levels = range(self.num_levels)
        return [self.site_channels[f"down_blocks.{level}.motion_modules.0"] for level in levels]

    @property
    def modules_per_down_level(self) -> int:
        return 1 + max(
            int(site.split(".")[3]) for site in self.site_channels if site.startswith("down_blocks.")
        )


class PositionalEncoding(nn.Module):
    """Adds row f of a (1, length, C) table to frame f, in place: it gets a norm's output, which is new.

    Folded into a bias of q, k and v for each frame it would cost more: that sum is a pass of its own, over a
    tensor three times as wide.
    """

    def __init__(self, channels: int, length: int, device=None, dtype=None):
        super().__init__()
        self.pe = nn.Parameter(
            torch.empty(1, length, channels, device=device, dtype=dtype), requires_grad=False
        )
        if self.pe.device.type != "meta":
            self.pe.data.copy_(sinusoidal_table(length, channels))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return tokens.add_(self.pe[:, : tokens.shape[1]].to(device=tokens.device, dtype=tokens.dtype))


class TemporalAttention(nn.Module):
    """Self-attention over the frames of every pixel, with the position table added to its input."""

    def __init__(
        self, channels: int, heads: int, position_length: int, operations=nn, device=None, dtype=None
    ):
        super().__init__()
        self.heads = heads
        self.to_qkv = operations.Linear(channels, 3 * channels, bias=False, device=device, dtype=dtype)
        self.to_out = nn.Sequential(operations.Linear(channels, channels, device=device, dtype=dtype))
        self.pos_encoder = PositionalEncoding(channels, position_length, device=device, dtype=dtype)

    def forward(self, tokens: torch.Tensor, attention: Attention) -> torch.Tensor:
        """tokens (pixels, F, C), which change -> (pixels, F, C)."""
        q, k, v = self.to_qkv(self.pos_encoder(tokens)).chunk(3, dim=-1)
        return self.to_out(attention(q, k, v, self.heads))


class GEGLU(nn.Module):
    """u * gelu(gate), both from one projection (Shazeer 2020, arXiv 2002.05202)."""

    def __init__(self, channels: int, inner: int, operations=nn, device=None, dtype=None):
        super().__init__()
        self.proj = operations.Linear(channels, 2 * inner, device=device, dtype=dtype)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        u, gate = self.proj(x).chunk(2, dim=-1)
        return F.gelu(gate).mul_(u)


class FeedForward(nn.Module):
    """GEGLU feed-forward with four times the channels inside."""

    def __init__(self, channels: int, operations=nn, device=None, dtype=None):
        super().__init__()
        inner = 4 * channels
        self.net = nn.Sequential(
            GEGLU(channels, inner, operations, device, dtype),
            nn.Identity(),  # the published files count a dropout here: the output layer is net.2
            operations.Linear(inner, channels, device=device, dtype=dtype),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x)


class TemporalTransformerBlock(nn.Module):
    """num_attention_blocks x (norm, temporal self-attention), then a feed-forward; every part is residual."""

    def __init__(self, channels: int, config: MotionConfig, operations=nn, device=None, dtype=None):
        super().__init__()
        factory_kwargs = {"operations": operations, "device": device, "dtype": dtype}
        count = config.num_attention_blocks
        self.attention_blocks = nn.ModuleList(
            [
                TemporalAttention(channels, config.heads, config.position_length, **factory_kwargs)
                for _ in range(count)
            ]
        )
        self.norms = nn.ModuleList(
            [operations.LayerNorm(channels, device=device, dtype=dtype) for _ in range(count)]
        )
        self.ff = FeedForward(channels, **factory_kwargs)
        self.ff_norm = operations.LayerNorm(channels, device=device, dtype=dtype)

    def forward(
        self, tokens: torch.Tensor, attention: Attention, views: Views | None = None, **steering
    ) -> torch.Tensor:
        """tokens (pixels, F, C) -> (pixels, F, C). views: of the attentions, all together. steering: of a
        class that is steered from outside; a view gets its frames of tensors (pixels, F, ...) there.
        """
        if views is None:
            tokens = self._attend_all(tokens, attention, **steering)
        else:
            num_frames = tokens.shape[1]

            def of_view(tokens: torch.Tensor, frames: list[int]) -> torch.Tensor:
                own = {k: v[:, frames] if isinstance(v, torch.Tensor) else v for k, v in steering.items()}
                return self._attend_all(tokens, of_frames(attention, frames, num_frames), **own)

            tokens = views(tokens, of_view)
        return self.ff(self.ff_norm(tokens)).add_(tokens)

    def _attend_all(self, tokens: torch.Tensor, attention: Attention, **steering) -> torch.Tensor:
        for number in range(len(self.attention_blocks)):
            tokens = self.attend(number, tokens, attention, **steering)
        return tokens

    def attend(self, number: int, tokens: torch.Tensor, attention: Attention) -> torch.Tensor:
        """One of the attentions with its norm and its residual."""
        return self.attention_blocks[number](self.norms[number](tokens), attention).add_(tokens)


class TemporalTransformer(nn.Module):
    """The motion module of one site: GroupNorm, proj_in, transformer blocks over time, proj_out."""

    def __init__(
        self,
        channels: int,
        config: MotionConfig,
        operations=nn,
        device=None,
        dtype=None,
        block_class: type[TemporalTransformerBlock] = TemporalTransformerBlock,
    ):
        super().__init__()
        factory_kwargs = {"device": device, "dtype": dtype}
        self.norm = operations.GroupNorm(NORM_GROUPS, channels, eps=1e-6, affine=True, **factory_kwargs)
        self.proj_in = operations.Linear(channels, channels, **factory_kwargs)
        self.transformer_blocks = nn.ModuleList(
            [
                block_class(channels, config, operations, device, dtype)
                for _ in range(config.num_transformer_blocks)
            ]
        )
        self.proj_out = operations.Linear(channels, channels, **factory_kwargs)
        start_at_zero(self.proj_out)

    def forward(
        self, x: torch.Tensor, num_frames: int, attention: Attention, joint_norm: bool = False, **steering
    ) -> torch.Tensor:
        """What the module adds to x: x (B*F, C, H, W) -> (B*F, C, H, W), F = num_frames of this call.

        joint_norm takes the GroupNorm statistics over all frames of a video instead of frame by frame.
        steering: for the blocks; tensors there are (pixels, F, ...).
        """
        n, _, h, w = x.shape
        videos_in_batch(n, num_frames)  # raises where they are no whole number
        # One change of layout in, one out: everything between is pointwise or attends over the middle axis.
        if joint_norm:
            video = self.norm(rearrange(x, "(b f) c h w -> b c (f h) w", f=num_frames))
            tokens = rearrange(video, "b c (f h) w -> (b h w) f c", f=num_frames)
        else:
            tokens = rearrange(self.norm(x), "(b f) c h w -> (b h w) f c", f=num_frames)
        with fast_linear(x):
            if _goes_in_pieces(tokens, attention):
                for start in range(0, len(tokens), pixels := max(1, PIECE // num_frames)):
                    part = slice(start, start + pixels)
                    own = {k: v[part] if isinstance(v, torch.Tensor) else v for k, v in steering.items()}
                    tokens[part] = self._over_frames(tokens[part], attention, own)
            else:
                tokens = self._over_frames(tokens, attention, steering)
        return rearrange(tokens, "(b h w) f c -> (b f) c h w", h=h, w=w)

    def _over_frames(self, tokens: torch.Tensor, attention: Attention, steering: Mapping) -> torch.Tensor:
        """All behind the norm: tokens (pixels, F, C) -> (pixels, F, C)."""
        tokens = self.proj_in(tokens)
        for block in self.transformer_blocks:
            tokens = block(tokens, attention, **steering)
        return self.proj_out(tokens)


def _goes_in_pieces(tokens: torch.Tensor, attention: Attention) -> bool:
    """Whether some pixels may go through the layers before others, and gain by it: on a CPU, where no mask
    scales the attention's keys, and no gradients are recorded.
    """
    return tokens.device.type == "cpu" and not torch.is_grad_enabled() and treats_places_alike(attention)


class MotionModel(nn.Module):
    """All motion modules of one file, addressed by the UNet block they follow.

    `config` says which sites exist. operations: torch.nn, or a namespace with the same layers that also casts
    and offloads. Freshly made on a real device it is the identity (proj_out zero).
    """

    block_class = TemporalTransformerBlock
    """Of its transformer blocks; methods that steer them put another in its place."""

    def __init__(self, config: MotionConfig, operations=nn, device=None, dtype=None):
        super().__init__()
        self.config = config
        self.sites: dict[tuple[str, int], str] = {}
        for site, channels in config.site_channels.items():
            module = nn.Module()
            module.temporal_transformer = TemporalTransformer(
                channels, config, operations, device, dtype, self.block_class
            )
            add_at_path(self, site, module)
            self.sites[unet_block_of_site(site, config.modules_per_down_level)] = site

    def at(self, block: tuple[str, int]) -> TemporalTransformer | None:
        """The motion module behind a UNet block ("input" | "middle" | "output", index), or None."""
        site = self.sites.get(block)
        return None if site is None else self.get_submodule(f"{site}.temporal_transformer")

    def channels_at(self, block: tuple[str, int]) -> int:
        return self.config.site_channels[self.sites[block]]


def motion_acts(model: MotionModel, places: UNetPlaces) -> Acts:
    """What a motion module does in a UNet: a temporal transformer behind each of its blocks."""
    return {places.blocks[block].last: _behind(model.at(block)) for block in model.sites}


def _behind(temporal: TemporalTransformer) -> Act:
    def add_motion(call: Call, inner: Act, x: torch.Tensor, *args, **kwargs) -> torch.Tensor:
        x = inner(x, *args, **kwargs)
        return call.add(x, temporal(x, call.num_frames, call.attention, call.join_norms, views=call.views))

    return add_motion


def misfit(model: MotionModel, places: UNetPlaces) -> str:
    """Why a motion module does not fit a UNet; empty when it does."""
    config, kinds = model.config, {3: "SDXL", 4: "SD1.x"}
    if places.num_levels != config.num_levels:
        return (
            f"it was made for a UNet of {config.num_levels} levels"
            f" ({kinds.get(config.num_levels, 'unknown')}), this checkpoint has {places.num_levels}"
            f" ({kinds.get(places.num_levels, 'unknown')})"
        )
    for block in model.sites:
        have, need = places.channels_at(block), model.channels_at(block)
        if have != need:
            return (
                f"at {block[0]} block {block[1]} it has {need} channels, this checkpoint has"
                f" {have or 'no such block'}"
            )
    if config.has_mid and not places.blocks["middle", 0].transformers:
        return "it follows the spatial transformer of the middle block, this checkpoint has none there"
    return ""


def config_for(places: UNetPlaces) -> MotionConfig:
    """The config of a new module for a UNet: v3 without a middle block, 32 frames."""
    per_level = places.resblocks_per_level
    names = animatediff_sites((0,) * places.num_levels, with_mid=False, modules_per_down_level=per_level)
    sites = {site: places.channels_at(unet_block_of_site(site, per_level)) for site in names}
    return MotionConfig("sdxl" if places.num_levels == 3 else "v3", sites)


def unet_block_of_site(site: str, modules_per_down_level: int = 2) -> tuple[str, int]:
    """The block of the LDM-layout UNet that a published site follows.

    "down_blocks.B.motion_modules.J" -> ("input", 1+3B+J); "up_blocks.B.motion_modules.J" -> ("output", 3B+J);
    "mid_block.motion_modules.0" -> ("middle", 0). The 3 is modules_per_down_level + 1.
    """
    parts = site.split(".")
    stride = modules_per_down_level + 1
    if parts[0] == "mid_block":
        return ("middle", 0)
    level, index = int(parts[1]), int(parts[3])
    return (
        ("input", 1 + stride * level + index)
        if parts[0] == "down_blocks"
        else ("output", stride * level + index)
    )


def animatediff_sites(
    channels: tuple[int, ...], with_mid: bool, modules_per_down_level: int = 2
) -> dict[str, int]:
    """The sites of an AnimateDiff module for a UNet with these channels per level,
    e.g. (320, 640, 1280, 1280).
    """
    sites = {
        f"down_blocks.{b}.motion_modules.{j}": c
        for b, c in enumerate(channels)
        for j in range(modules_per_down_level)
    }
    sites |= {
        f"up_blocks.{b}.motion_modules.{j}": c
        for b, c in enumerate(reversed(channels))
        for j in range(modules_per_down_level + 1)
    }
    if with_mid:
        sites["mid_block.motion_modules.0"] = channels[-1]
    return sites
