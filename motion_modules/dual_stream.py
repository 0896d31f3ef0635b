"""Dual stream, in the style of the Dual-Stream Diffusion Net: content and motion of a video are two streams
through one UNet, and each looks at the other.

Source: Liu et al. 2023, arXiv 2308.08316, section 3: a frozen text-to-image UNet with a small increment for
the content, a UNet with temporal layers for the motion, cross-attention in both directions between their
features. Neither code nor weights are published, and the paper leaves the layers open. Ours: both streams
share the checkpoint's UNet and one batch; the increment is a low-rank change of projections of its
attentions; the temporal layers are AnimateDiff's; the cross-attention ends the transformer blocks of the
middle and of the deepest level. motion_modules/motion_latents.py makes and takes away the motion frames.

A batch holds the F content frames of a video, then its F motion frames, then the next video.

Letters: N images, B videos, F frames of a stream, N = 2*B*F, T tokens of an image, C channels, R rank.
Names are this pack's own:

    down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.content_lora.down, .up      of six projections
    down_blocks.2.attentions.0.transformer_blocks.0.interaction.norm_content, .norm_motion
    down_blocks.2.attentions.0.transformer_blocks.0.interaction.to_content.to_q, .to_k, .to_v, .to_out.0
    motion.down_blocks.0.motion_modules.0.temporal_transformer...               AnimateDiff's, q, k, v fused
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import nn

from ..foreign_text import printable
from ..frame_values import of_stream, unscaled
from .animatediff.layers import MotionConfig, MotionModel, config_for
from .animatediff.layers import misfit as motion_misfit
from .attention_misfit import attention_misfit
from .call import Call
from .file_tensors import StateDict, weights_for, widths_in
from .frame_attention import TemporalAttention
from .method import TemporalMethod
from .named_layers import add_at_path
from .points import Act, Acts
from .unet_places import UNetPlaces
from .zero_layers import start_at_zero

CONTENT, MOTION = 0, 1
STREAMS = 2
RANK = 16
PROJECTIONS = ("attn1.to_q", "attn1.to_k", "attn1.to_v", "attn1.to_out.0", "attn2.to_q", "attn2.to_out.0")
"""What the content's increment changes of a transformer block: all that reads and gives C channels."""
_LORA = re.compile(r"^(.+\.transformer_blocks\.\d+)\.attn[12]\.to_\w+(?:\.0)?\.content_lora\.")
_INTERACTION = re.compile(r"^(.+\.transformer_blocks\.\d+)\.interaction\.")
_SITE = re.compile(r"^(motion\.(?:down|up)_blocks\.\d+\.motion_modules\.\d+)\.temporal_transformer\.")
_TABLE = "temporal_transformer.transformer_blocks.0.attention_blocks.0.pos_encoder.pe"
GROUPS = 32
"""Of the norm of every temporal transformer."""


@dataclass(frozen=True)
class DualStreamConfig:
    """C by published name of the transformer blocks, and of those with an interaction; rank: R of the
    content's increment; motion: of the temporal layers.
    """

    attentions: Mapping[str, int] = field(hash=False)
    interactions: Mapping[str, int] = field(hash=False)
    motion: MotionConfig
    rank: int = RANK


class LowRank(nn.Module):
    """C -> R -> C; a new one gives zero."""

    def __init__(self, channels: int, rank: int, operations=nn, device=None, dtype=None):
        super().__init__()
        factory_kwargs = {"bias": False, "device": device, "dtype": dtype}
        self.down = operations.Linear(channels, rank, **factory_kwargs)
        self.up = operations.Linear(rank, channels, **factory_kwargs)
        start_at_zero(self.up)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.up(self.down(tokens))


class Interaction(nn.Module):
    """What each stream takes from the other at the same frame; nothing in a new one."""

    def __init__(self, channels: int, operations=nn, device=None, dtype=None):
        super().__init__()
        factory_kwargs = {"device": device, "dtype": dtype}
        for stream in ("content", "motion"):
            norm = operations.LayerNorm(channels, **factory_kwargs)
            self.add_module(f"norm_{stream}", norm)
            self.add_module(f"to_{stream}", TemporalAttention(channels, operations, **factory_kwargs))

    def forward(self, tokens: torch.Tensor, heads: int, call: Call) -> torch.Tensor:
        """What is added to tokens (N, T, C) of both streams."""
        content = self.norm_content(stream_of(tokens, CONTENT, call))
        motion = self.norm_motion(stream_of(tokens, MOTION, call))
        attention = unscaled(call.attention)
        return both_streams(
            self.to_content(content, heads, attention, motion),
            self.to_motion(motion, heads, attention, content),
            call,
        )


class DualStream(nn.Module):
    """The content's increment, the motion's temporal layers and the interactions of a UNet."""

    def __init__(self, config: DualStreamConfig, operations=nn, device=None, dtype=None):
        super().__init__()
        self.config = config
        make = {"operations": operations, "device": device, "dtype": dtype}
        for name, channels in config.attentions.items():
            for projection in PROJECTIONS:
                increment = LowRank(channels, config.rank, **make)
                add_at_path(self, f"{name}.{projection}.content_lora", increment)
        for name, channels in config.interactions.items():
            add_at_path(self, f"{name}.interaction", Interaction(channels, **make))
        self.motion = MotionModel(config.motion, **make)


def stream_of(x: torch.Tensor, stream: int, call: Call) -> torch.Tensor:
    """The images of one stream (N/2, ...) out of those of both, or their tiles."""
    return x.unflatten(0, (call.num_videos // STREAMS, STREAMS, -1))[:, stream].flatten(0, 1)


def both_streams(content: torch.Tensor, motion: torch.Tensor, call: Call) -> torch.Tensor:
    """Images of each stream (N/2, ...) in the order of the batch (N, ...)."""
    videos = (x.unflatten(0, (call.num_videos // STREAMS, -1)) for x in (content, motion))
    return torch.stack(tuple(videos), 1).flatten(0, 2)


def acts(network: DualStream, places: UNetPlaces) -> Acts:
    """The increment at projections, interactions behind transformer blocks, temporal layers behind blocks."""
    found: dict[str, Act] = {}
    for name, place in places.attentions().items():
        block = network.get_submodule(name)
        for projection in PROJECTIONS:
            increment = block.get_submodule(f"{projection}.content_lora")
            found[f"{place.path}.{projection}"] = _increment(increment)
        if name in network.config.interactions:
            found[place.path] = _behind_block(block.interaction, place.heads)
    for block in network.motion.sites:
        found[places.blocks[block].last] = _behind_motion(network.motion.at(block))
    return found


def _increment(layer: LowRank) -> Act:
    def act(call: Call, inner: Act, x: torch.Tensor) -> torch.Tensor:
        change = layer(stream_of(x, CONTENT, call))
        return call.add(inner(x), both_streams(change, torch.zeros_like(change), call))

    return act


def _behind_block(layer: Interaction, heads: int) -> Act:
    def act(call: Call, inner: Act, x: torch.Tensor, *args, **kwargs) -> torch.Tensor:
        x = inner(x, *args, **kwargs)
        return call.add(x, layer(x, heads, call))

    return act


def _behind_motion(layer: Callable[..., torch.Tensor]) -> Act:
    def act(call: Call, inner: Act, x: torch.Tensor, *args, **kwargs) -> torch.Tensor:
        x = inner(x, *args, **kwargs)
        motion = stream_of(x, MOTION, call)
        attention = of_stream(call.attention, MOTION, STREAMS, call.num_frames)
        change = layer(motion, call.num_frames, attention, call.join_norms, views=call.views)
        return call.add(x, both_streams(torch.zeros_like(change), change, call))

    return act


def read(tensors: StateDict, file_name: str) -> tuple[DualStreamConfig, StateDict]:
    """Config and weights of a file.

    Raises ValueError for a file that is incomplete or damaged.
    """
    attentions = widths_in(tensors, _LORA, "attn1.to_q.content_lora.up.weight", file_name)
    interactions = widths_in(tensors, _INTERACTION, "interaction.norm_content.weight", file_name)
    first = tensors[f"{next(iter(attentions))}.attn1.to_q.content_lora.up.weight"]
    rank = first.shape[1] if first.ndim == 2 else RANK
    config = DualStreamConfig(attentions, interactions, _motion_config(tensors, file_name), rank)
    return config, weights_for(DualStream(config, device="meta"), tensors, file_name)


def _motion_config(tensors: StateDict, file_name: str) -> MotionConfig:
    """Raises ValueError where a file has no temporal layers on the way down."""
    sites = widths_in(tensors, _SITE, "temporal_transformer.proj_in.weight", file_name, GROUPS)
    if not any(site.startswith("motion.down_blocks.") for site in sites):
        raise ValueError(
            f"'{printable(file_name)}' lacks the temporal layers of the motion stream "
            "('motion.down_blocks...'); the file is incomplete, download it again."
        )
    table = tensors.get(f"{next(iter(sites))}.{_TABLE}")
    frames = {"position_length": table.shape[1]} if table is not None and table.ndim == 3 else {}
    return MotionConfig("v3", {site.removeprefix("motion."): own for site, own in sites.items()}, **frames)


def new(places: UNetPlaces) -> DualStreamConfig:
    """Increments in every transformer block, interactions in the deepest, AnimateDiff's 32 frames."""
    attentions = {name: place.channels for name, place in places.attentions().items()}
    interactions = {name: place.channels for name, place in places.deepest_attentions().items()}
    return DualStreamConfig(attentions, interactions, config_for(places))


def misfit(network: DualStream, places: UNetPlaces) -> str:
    """Why the layers do not fit a UNet; empty when they do."""
    config = network.config
    return (
        attention_misfit(config.attentions, places)
        or attention_misfit(config.interactions, places, UNetPlaces.deepest_attentions)
        or motion_misfit(network.motion, places)
    )


METHOD = TemporalMethod(
    name="Dual stream (DSDN-style)",
    claims=lambda keys: any(_LORA.match(key) for key in keys),
    read=read,
    build=DualStream,
    acts=acts,
    new=new,
    misfit=misfit,
    # The position table is a formula, not a weight.
    is_trained=lambda name: not name.endswith("pos_encoder.pe"),
    keeps_float32=lambda name: name.endswith("pos_encoder.pe"),
    title=lambda config: f"dual stream, rank {config.rank}, {len(config.interactions)} interactions",
    longest=lambda config: config.motion.position_length,
    with_positions=lambda config, rows: replace(config, motion=replace(config.motion, position_length=rows)),
    streams=STREAMS,
    takes_views=True,
)
