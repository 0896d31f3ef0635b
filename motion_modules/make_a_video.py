"""Make-A-Video's pseudo-3D layers: a convolution over frames behind every 3x3 convolution, which starts as
the identity, and attention over frames behind every spatial transformer.

Source: Singer et al. 2022, arXiv 2209.14792, section 3.2. No code is published; github.com/lucidrains/
make-a-video-pytorch fixes the details: three frames, RMSNorm, a position bias from a small network, a last
projection that starts at zero. Its feed-forward is left out: Stable Diffusion's transformers have their own.
Ours: kernels are kept as their change from the identity, so that a new one changes nothing on any processor.

Letters: N images, B videos, F frames, N = B*F, C channels.
Nothing is published for Stable Diffusion; names are those of that code beside those of diffusers:

    down_blocks.0.resnets.0.conv1.temporal_conv.weight, .bias     the whole kernel (C, C, 3)
    down_blocks.0.resnets.0.conv1.temporal_conv.diff, .bias       its change from the identity, in ours
    down_blocks.0.attentions.0.temporal_attn.norm, .to_q, .to_kv, .to_out
    down_blocks.0.attentions.0.temporal_rel_pos_bias.net.0.0, .net.1.0, .net.2
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import nn

from ..foreign_text import printable
from .attention_misfit import convolution_misfit, transformer_misfit
from .call import Attention, Call
from .file_tensors import StateDict, weights_for, widths_in
from .frame_attention import behind_layer, over_video
from .method import TemporalMethod
from .named_layers import add_at_path
from .points import Act, Acts
from .unet_places import UNetPlaces
from .zero_layers import start_at_zero

_CONVOLUTION = re.compile(r"^(.+\.resnets\.\d+\.conv[12])\.temporal_conv\.")
_ATTENTION = re.compile(r"^(.+\.attentions\.\d+)\.temporal_(?:attn|rel_pos_bias)\.")
_LAST_BIAS = "temporal_rel_pos_bias.net.2.bias"


@dataclass(frozen=True)
class MakeAVideoConfig:
    """C by published name of the convolutions and of the spatial transformers; heads of every attention, and
    channels of a head.
    """

    convolutions: Mapping[str, int] = field(hash=False)
    attentions: Mapping[str, int] = field(hash=False)
    heads: int = 8
    head_channels: int = 64


class PositionBias(nn.Module):
    """What a small network of their distance in frames adds to the scores of every two frames.

    Source: continuous position bias (Liu et al. 2021, arXiv 2111.09883), as the named code has it.
    """

    def __init__(self, channels: int, heads: int, operations=nn, device=None, dtype=None):
        super().__init__()
        widths, factory_kwargs = (1, channels, channels, heads), {"device": device, "dtype": dtype}
        first, second, last = (
            operations.Linear(*ends, **factory_kwargs) for ends in zip(widths, widths[1:], strict=False)
        )
        self.net = nn.Sequential(nn.Sequential(first, nn.SiLU()), nn.Sequential(second, nn.SiLU()), last)

    def forward(self, num_frames: int, like: torch.Tensor) -> torch.Tensor:
        """(heads, F, F) in the dtype of `like`, for the query's frame minus the key's."""
        distances = torch.arange(1 - num_frames, num_frames, device=like.device)
        bias = self.net(distances[:, None].to(like.dtype))
        frames = torch.arange(num_frames, device=like.device)
        return bias[frames[:, None] - frames + num_frames - 1].permute(2, 0, 1)


class PseudoAttention(nn.Module):
    """Attention over frames; its last projection is zero in a new one."""

    def __init__(self, channels: int, heads: int, head_channels: int, operations=nn, device=None, dtype=None):
        super().__init__()
        self.heads, inner, factory_kwargs = heads, heads * head_channels, {"device": device, "dtype": dtype}
        # The named code divides by the norm itself; this much more keeps half precision from dividing by 0.
        self.norm = operations.RMSNorm(channels, eps=1e-6, **factory_kwargs)
        self.to_q = operations.Linear(channels, inner, bias=False, **factory_kwargs)
        self.to_kv = operations.Linear(channels, 2 * inner, bias=False, **factory_kwargs)
        self.to_out = operations.Linear(inner, channels, bias=False, **factory_kwargs)
        start_at_zero(self.to_out)

    def forward(self, tokens: torch.Tensor, bias: torch.Tensor, attention: Attention) -> torch.Tensor:
        """tokens (places, F, C), bias (heads, F, F) -> (places, F, C)."""
        tokens = self.norm(tokens)
        k, v = self.to_kv(tokens).chunk(2, dim=-1)
        return self.to_out(attention(self.to_q(tokens), k, v, self.heads, mask=bias[None]))


class MakeAVideo(nn.Module):
    """The temporal layers of all convolutions and spatial transformers of a UNet."""

    def __init__(self, config: MakeAVideoConfig, operations=nn, device=None, dtype=None):
        super().__init__()
        self.config = config
        make = {"operations": operations, "device": device, "dtype": dtype}
        for name, channels in config.convolutions.items():
            add_at_path(self, f"{name}.temporal_conv", temporal_convolution(channels, **make))
        for name, channels in config.attentions.items():
            attention = PseudoAttention(channels, config.heads, config.head_channels, **make)
            add_at_path(self, f"{name}.temporal_attn", attention)
            bias = PositionBias(channels // 2, config.heads, **make)
            add_at_path(self, f"{name}.temporal_rel_pos_bias", bias)


def temporal_convolution(channels: int, operations=nn, device=None, dtype=None) -> nn.Module:
    """What a convolution over three frames changes, (B, C, F, H, W) -> the same; zero in a new one."""
    layer = operations.Conv3d(channels, channels, (3, 1, 1), padding=(1, 0, 0), device=device, dtype=dtype)
    start_at_zero(layer)
    return layer


def acts(network: MakeAVideo, places: UNetPlaces) -> Acts:
    """A convolution over frames behind every 3x3 one, attention over frames behind every transformer."""
    found: dict[str, Act] = {}
    for name, place in places.convolutions().items():
        found[place.path] = behind_convolution(network.get_submodule(f"{name}.temporal_conv"))
    for name, (path, _) in places.transformers().items():
        part = network.get_submodule(name)
        found[path] = behind_transformer(part.temporal_attn, part.temporal_rel_pos_bias)
    return found


def behind_convolution(layer: nn.Module) -> Act:
    """An act around a convolution; an image alone has no time and goes by, as in the named code."""

    def act(call: Call, inner: Act, x: torch.Tensor) -> torch.Tensor:
        x = inner(x)
        if call.num_frames == 1:
            return x
        return call.add(x, over_video(layer, x, call.num_frames))

    return act


def behind_transformer(layer: PseudoAttention, bias: PositionBias) -> Act:
    """An act around a spatial transformer; an image alone has no time and goes by, as in the named code."""

    def attend(tokens: torch.Tensor, call: Call) -> torch.Tensor:
        return layer(tokens, bias(call.num_frames, tokens), call.attention)

    add = behind_layer(attend)

    def act(call: Call, inner: Act, x: torch.Tensor, *args, **kwargs) -> torch.Tensor:
        return inner(x, *args, **kwargs) if call.num_frames == 1 else add(call, inner, x, *args, **kwargs)

    return act


def read(tensors: StateDict, file_name: str) -> tuple[MakeAVideoConfig, StateDict]:
    """Config and weights of a file, whose kernels are whole ones or their changes from the identity.

    Raises ValueError for a file that is incomplete or damaged.
    """
    _refuse_two_kernels(tensors, file_name)
    convolutions = widths_in(tensors, _CONVOLUTION, "temporal_conv.bias", file_name)
    norms, queries, biases = (
        widths_in(tensors, _ATTENTION, name, file_name)
        for name in ("temporal_attn.norm.weight", "temporal_attn.to_q.weight", _LAST_BIAS)
    )
    heads = max([1, *biases.values()])
    config = MakeAVideoConfig(convolutions, norms, heads, max(queries.values(), default=0) // heads)
    return config, weights_for(MakeAVideo(config, device="meta"), _as_changes(tensors), file_name)


def _refuse_two_kernels(tensors: StateDict, file_name: str) -> None:
    for key in tensors:
        if key.endswith(".temporal_conv.diff") and (whole := key.removesuffix("diff") + "weight") in tensors:
            raise ValueError(
                f"'{printable(file_name)}' has '{printable(whole)}' and its change; keep one of them."
            )


def _as_changes(tensors: StateDict) -> StateDict:
    """Kernels of a file, (C, C, 3), as those of the network, (C, C, 3, 1, 1): changes from the identity."""
    return {key.removesuffix("diff") + "weight" if key.endswith("_conv.diff") else key: _kernel(key, value)
            for key, value in tensors.items()}  # fmt: skip


def _kernel(key: str, value: torch.Tensor) -> torch.Tensor:
    if value.ndim != 3 or ".temporal_conv." not in key:
        return value
    if key.endswith(".weight"):
        value = value - nn.init.dirac_(torch.empty_like(value))
    return value[..., None, None]


def to_file(network: MakeAVideo) -> StateDict:
    """The weights as files of this pack have them: kernels (C, C, 3) as `.diff`."""
    return {re.sub(r"\.temporal_conv\.weight$", ".temporal_conv.diff", key):
            value[..., 0, 0] if key.endswith(".temporal_conv.weight") else value
            for key, value in network.state_dict().items()}  # fmt: skip


def new(places: UNetPlaces) -> MakeAVideoConfig:
    """Layers for every convolution of the ResBlocks and every spatial transformer."""
    convolutions = {name: place.channels for name, place in places.convolutions().items()}
    return MakeAVideoConfig(convolutions, {name: own for name, (_, own) in places.transformers().items()})


def misfit(network: MakeAVideo, places: UNetPlaces) -> str:
    """Why the layers do not fit a UNet; empty when they do."""
    config = network.config
    return convolution_misfit(config.convolutions, places) or transformer_misfit(config.attentions, places)


METHOD = TemporalMethod(
    name="Make-A-Video pseudo-3D",
    claims=lambda keys: any(_CONVOLUTION.match(key) for key in keys),
    read=read,
    build=MakeAVideo,
    acts=acts,
    new=new,
    to_file=to_file,
    misfit=misfit,
    # What is added to all scores alike changes nothing: softmax takes it away.
    is_trained=lambda name: not name.endswith(_LAST_BIAS),
    title=lambda config: (
        f"Make-A-Video, {len(config.convolutions)} convolutions, "
        f"{len(config.attentions)} attentions over frames"
    ),
)
