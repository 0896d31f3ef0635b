"""SimDA: light adapters in a frozen checkpoint, and self-attention that reads shifted places of other frames.

Source: Xing et al. 2023, arXiv 2308.09710, sections 3.2 and 3.3; github.com/ChenHsing/SimDA fixes the rest:
no activation in the temporal adapter, the shift table, joint norms. No weights are published.

Letters: N images, B videos, F frames, N = B*F, T = H*W tokens of an image, C channels.
Names are those of the published code:

    down_blocks.0.temp_adapter.0.stadapt_down_1, stadapt_conv3d_1, stadapt_up_1     behind a ResBlock
    down_blocks.0.attentions.0.transformer_blocks.0.adapter_s.D_fc1, D_fc2          behind attn1
    down_blocks.0.attentions.0.transformer_blocks.0.adapter_ffn.D_fc1, D_fc2        beside the feed-forward
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

import torch
import torch.nn.functional as nnf
from torch import nn

from .attention_misfit import attention_misfit
from .call import Call
from .file_tensors import StateDict, weights_for, widths_in
from .frame_attention import attend_to_frames, over_video
from .method import TemporalMethod
from .named_layers import add_at_path
from .points import Act, Acts
from .unet_places import UNetPlaces
from .zero_layers import start_at_zero

_ADAPTER = re.compile(r"^(.+\.transformer_blocks\.\d+)\.adapter_(?:s|ffn)\.")
_TEMPORAL = re.compile(r"^(\w+_block(?:s\.\d+)?\.temp_adapter\.\d+)\.stadapt_")
SHIFTS = ((4, 3, 2, 1), (3, 2, 1, 0), (2, 1, 0, 0), (1, 2, 3, 4))
"""How many frames earlier the token at (y, x) is read: SHIFTS[y % 4][x % 4]."""


@dataclass(frozen=True)
class SimDAConfig:
    """C by published name: of the transformer blocks, and of the temporal adapters behind ResBlocks."""

    attentions: Mapping[str, int] = field(hash=False)
    temporal: Mapping[str, int] = field(hash=False)


class TemporalAdapter(nn.Module):
    """What is added behind a ResBlock: C -> C/2, a convolution over three frames for each channel, -> C."""

    def __init__(self, channels: int, operations=nn, device=None, dtype=None):
        super().__init__()
        inner, factory_kwargs = channels // 2, {"device": device, "dtype": dtype}
        self.stadapt_down_1 = operations.Conv3d(channels, inner, 1, **factory_kwargs)
        self.stadapt_conv3d_1 = operations.Conv3d(
            inner, inner, (3, 1, 1), padding=(1, 0, 0), groups=inner, **factory_kwargs
        )
        self.stadapt_up_1 = operations.Conv3d(inner, channels, 1, **factory_kwargs)
        start_at_zero(self.stadapt_up_1)

    def forward(self, video: torch.Tensor) -> torch.Tensor:
        """(B, C, F, H, W) -> the same."""
        return self.stadapt_up_1(self.stadapt_conv3d_1(self.stadapt_down_1(video)))


class Adapter(nn.Module):
    """A bottleneck of a quarter of the channels for every token: fc2(GELU(fc1 x))."""

    def __init__(self, channels: int, operations=nn, device=None, dtype=None):
        super().__init__()
        self.D_fc1 = operations.Linear(channels, channels // 4, device=device, dtype=dtype)
        self.D_fc2 = operations.Linear(channels // 4, channels, device=device, dtype=dtype)
        start_at_zero(self.D_fc2)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.D_fc2(nnf.gelu(self.D_fc1(tokens)))


class SimDA(nn.Module):
    """All adapters of a UNet."""

    def __init__(self, config: SimDAConfig, operations=nn, device=None, dtype=None):
        super().__init__()
        self.config = config
        make = {"operations": operations, "device": device, "dtype": dtype}
        for name, channels in config.attentions.items():
            add_at_path(self, f"{name}.adapter_s", Adapter(channels, **make))
            add_at_path(self, f"{name}.adapter_ffn", Adapter(channels, **make))
        for name, channels in config.temporal.items():
            add_at_path(self, name, TemporalAdapter(channels, **make))


def temporal_places(places: UNetPlaces) -> dict[str, tuple[str, int]]:
    """Published name of a temporal adapter -> (path of the ResBlock that it follows, its channels): the first
    ResBlock of every block with a transformer.
    """
    found = {}
    for block, layers in places.blocks.items():
        if layers.transformers:
            name, number = places.published_name(block)
            found[f"{name}.temp_adapter.{number}"] = layers.resblocks[0], layers.channels
    return found


def acts(network: SimDA, places: UNetPlaces) -> Acts:
    """Shifted keys and values, and the adapters at their places."""
    found: dict[str, Act] = {}
    for name, place in places.attentions().items():
        block = network.get_submodule(name)
        transformer = place.path.partition(".transformer_blocks.")[0]
        found[transformer] = _remember_size(transformer)
        found[f"{place.path}.attn1"] = _adapted_attention(block.adapter_s, transformer)
        remember, add = _beside_feed_forward(block.adapter_ffn, place.path)
        found |= {f"{place.path}.norm3": remember, f"{place.path}.ff": add}
    for name, (path, _) in temporal_places(places).items():
        found[path] = _behind_resblock(network.get_submodule(name))
    return found


def shifted_frames(num_frames: int, height: int, width: int, device=None) -> torch.Tensor:
    """(F, T): the frame whose token each frame reads at each place; its own where the shift goes before 0.

    At (y, x) = (0, 3) the shift is 1: frames 0 1 2 3 read 0 0 1 2.
    """
    shifts = torch.tensor(SHIFTS, device=device)
    rows, columns = torch.arange(height, device=device) % 4, torch.arange(width, device=device) % 4
    shift = shifts[rows[:, None], columns].flatten()
    frames = torch.arange(num_frames, device=device)[:, None]
    return torch.where(frames >= shift, frames - shift, frames)


def previous_and_own_shifted(features: torch.Tensor, call: Call, transformer: str) -> torch.Tensor:
    """The previous frame and its own, both shifted, for each frame: features (B, F, T, C) -> (B, F, 2T, C).

    Raises ValueError where the tokens are not the whole image.
    """
    height, width = call.memory[transformer]
    if features.shape[2] != height * width:
        raise ValueError(
            f"SimDA reads whole frames of {width}x{height} places and got tiles of {features.shape[2]}; "
            "remove the node that cuts the keys of self-attention into tiles."
        )
    index = shifted_frames(features.shape[1], height, width, features.device)
    shifted = features.gather(1, index[None, :, :, None].expand(features.shape))
    previous = torch.cat((shifted[:, :1], shifted[:, :-1]), 1)
    return torch.cat((previous, shifted), 2)


def _remember_size(transformer: str) -> Act:
    """Height and width of a transformer's tokens. Core tells them too, but not to a layer that runs again in
    the backward pass of gradient checkpointing.
    """

    def act(call: Call, inner: Act, x: torch.Tensor, *args, **kwargs) -> torch.Tensor:
        call.memory[transformer] = x.shape[-2:]
        return inner(x, *args, **kwargs)

    return act


def _adapted_attention(adapter: Adapter, transformer: str) -> Act:
    read_frames = attend_to_frames(partial(previous_and_own_shifted, transformer=transformer))

    def act(call: Call, inner: Act, x: torch.Tensor, **kwargs) -> torch.Tensor:
        out = read_frames(call, inner, x, **kwargs)
        return call.add(out, adapter(out))

    return act


def _beside_feed_forward(adapter: Adapter, path: str) -> tuple[Act, Act]:
    """Two acts: the norm's input is the block's state x, the feed-forward's output gets adapter(x)."""

    def remember(call: Call, inner: Act, x: torch.Tensor) -> torch.Tensor:
        call.memory[path] = x
        return inner(x)

    def add(call: Call, inner: Act, normed: torch.Tensor) -> torch.Tensor:
        return call.add(inner(normed), adapter(call.memory.pop(path)))

    return remember, add


def _behind_resblock(adapter: TemporalAdapter) -> Act:
    def act(call: Call, inner: Act, x: torch.Tensor, *args, **kwargs) -> torch.Tensor:
        x = inner(x, *args, **kwargs)
        return call.add(x, over_video(adapter, x, call.num_frames))

    return act


def read(tensors: StateDict, file_name: str) -> tuple[SimDAConfig, StateDict]:
    """Config and weights of a file. The unused `conv_temps` of the published code are left out.

    Raises ValueError for a file that is incomplete or damaged.
    """
    attentions = widths_in(tensors, _ADAPTER, "adapter_s.D_fc2.weight", file_name)
    temporal = widths_in(tensors, _TEMPORAL, "stadapt_up_1.weight", file_name, multiple_of=2)
    config = SimDAConfig(attentions, temporal)
    return config, weights_for(SimDA(config, device="meta"), tensors, file_name)


def new(places: UNetPlaces) -> SimDAConfig:
    """Adapters for every transformer block, and behind the ResBlock before every transformer."""
    temporal = {name: channels for name, (_, channels) in temporal_places(places).items()}
    return SimDAConfig({name: place.channels for name, place in places.attentions().items()}, temporal)


def misfit(network: SimDA, places: UNetPlaces) -> str:
    """Why the adapters do not fit a UNet; empty when they do."""
    have = {name: channels for name, (_, channels) in temporal_places(places).items()}
    if wrong := attention_misfit(network.config.attentions, places):
        return wrong
    if network.config.temporal != have:
        return (
            f"its {len(network.config.temporal)} temporal adapters are not those of this checkpoint's blocks"
        )
    return ""


METHOD = TemporalMethod(
    name="SimDA",
    claims=lambda keys: any(_ADAPTER.match(key) for key in keys),
    read=read,
    build=SimDA,
    acts=acts,
    new=new,
    misfit=misfit,
    title=lambda config: f"SimDA, {len(config.attentions)} transformer blocks",
    joint_norms=lambda config: True,
    acts_untrained=True,
    sets_keys=True,
    attends=False,
)
