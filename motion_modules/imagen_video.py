"""Imagen Video's temporal layers, each of which looks back only: a convolution over frames behind every 3x3
convolution, and behind every spatial transformer a convolution that tells positions and an attention.

Source: Ho et al. 2022, arXiv 2210.02303, section 2.5, which names temporal convolutions and attentions, not
their details. No code is published; github.com/lucidrains/imagen-pytorch (imagen_video.py) fixes them: causal
kernels of three frames, queries of unit length and keys of unit length that all heads share, one learned key
and value beside those of the frames, a position bias from a small network, a norm behind the last projection.
Ours: the gain of that norm and the position convolution of a new one are zero, and kernels are kept as their
change from the identity of a frame on itself (that code's new kernels show the frame before).

Letters: N images, B videos, F frames, N = B*F, C channels, D channels of a head.
Nothing is published for Stable Diffusion; names are this pack's own:

    down_blocks.0.resnets.0.conv1.causal_conv.weight, .bias     change from the identity (C, C, 3, 1, 1)
    down_blocks.0.attentions.0.causal_peg.weight, .bias         (C, 1, 3, 1, 1)
    down_blocks.0.attentions.0.causal_attention.norm, .to_q, .to_kv, .q_scale, .k_scale, .null_kv,
        .null_attn_bias, .rel_pos_bias.net.0.0, .0.1, .1.0, .1.1, .2, .to_out.0, .to_out.1
"""

from __future__ import annotations

import re

import torch
import torch.nn.functional as nnf
from torch import nn

from .call import Attention, Call
from .file_tensors import StateDict, weights_for, widths_in
from .frame_attention import behind_layer, over_video
from .make_a_video import MakeAVideoConfig, PositionBias, misfit, new
from .method import TemporalMethod
from .named_layers import add_at_path
from .points import Act, Acts
from .unet_places import UNetPlaces
from .zero_layers import start_at_zero

_CONVOLUTION = re.compile(r"^(.+\.resnets\.\d+\.conv[12])\.causal_conv\.")
_ATTENTION = re.compile(r"^(.+\.attentions\.\d+)\.causal_(?:attention|peg)\.")
_SHARPNESS = 8.0
"""What scores of unit vectors, -1..1, are multiplied by."""


class NormedPositionBias(PositionBias):
    """With a norm behind the first two layers."""

    def __init__(self, channels: int, heads: int, operations=nn, device=None, dtype=None):
        super().__init__(channels, heads, operations, device, dtype)
        for part in self.net[:2]:
            part.insert(1, operations.LayerNorm(channels, bias=False, device=device, dtype=dtype))


class CausalAttention(nn.Module):
    """Attention of each frame to itself, to earlier ones and to one learned key; adds nothing when new."""

    def __init__(self, channels: int, heads: int, head_channels: int, operations=nn, device=None, dtype=None):
        super().__init__()
        self.heads, factory_kwargs = heads, {"device": device, "dtype": dtype}
        inner = heads * head_channels
        self.norm = operations.LayerNorm(channels, bias=False, **factory_kwargs)
        self.to_q = operations.Linear(channels, inner, bias=False, **factory_kwargs)
        self.to_kv = operations.Linear(channels, 2 * head_channels, bias=False, **factory_kwargs)
        for name in ("q_scale", "k_scale"):
            self.register_parameter(name, nn.Parameter(torch.ones(head_channels, **factory_kwargs)))
        self.null_kv = nn.Parameter(torch.randn(2, head_channels, **factory_kwargs))
        self.null_attn_bias = nn.Parameter(torch.randn(heads, **factory_kwargs))
        self.rel_pos_bias = NormedPositionBias(channels, heads, operations, **factory_kwargs)
        self.to_out = nn.Sequential(
            operations.Linear(inner, channels, bias=False, **factory_kwargs),
            operations.LayerNorm(channels, bias=False, **factory_kwargs),
        )
        start_at_zero(self.to_out[1])

    def forward(self, tokens: torch.Tensor, attention: Attention) -> torch.Tensor:
        """tokens (places, F, C) -> (places, F, C)."""
        tokens = self.norm(tokens)
        k, v = self.to_kv(tokens).chunk(2, dim=-1)
        null_k, null_v = self.null_kv.to(tokens).expand(len(tokens), 2, -1).split(1, dim=1)
        k, v = torch.cat((null_k, k), 1), torch.cat((null_v, v), 1)
        q = _unit(self.to_q(tokens).unflatten(-1, (self.heads, -1))) * self.q_scale.to(tokens)
        k = _unit(k) * self.k_scale.to(tokens)
        q = q.flatten(-2) * (_SHARPNESS * k.shape[-1] ** 0.5)  # attention divides by the root
        k, v = (x.repeat(1, 1, self.heads) for x in (k, v))
        return self.to_out(attention(q, k, v, self.heads, mask=self._mask(tokens)))

    def _mask(self, tokens: torch.Tensor) -> torch.Tensor:
        """What is added to the scores (1, heads, F, 1 + F): of the learned key, and of the frames."""
        num_frames = tokens.shape[1]
        bias = self.rel_pos_bias(num_frames, tokens)
        later = torch.ones(num_frames, num_frames, dtype=torch.bool, device=tokens.device).triu(1)
        null = self.null_attn_bias.to(tokens)[:, None, None].expand(-1, num_frames, 1)
        return torch.cat((null, bias.masked_fill(later, -torch.inf)), -1)[None]


def _unit(x: torch.Tensor) -> torch.Tensor:
    """Vectors of length 1 along the last axis; in float32, where a small length is no 0."""
    return nnf.normalize(x.float(), dim=-1).to(x)


class ImagenVideo(nn.Module):
    """The temporal layers of all convolutions and spatial transformers of a UNet."""

    def __init__(self, config: MakeAVideoConfig, operations=nn, device=None, dtype=None):
        super().__init__()
        self.config = config
        make = {"operations": operations, "device": device, "dtype": dtype}
        for name, channels in config.convolutions.items():
            add_at_path(self, f"{name}.causal_conv", causal_convolution(channels, **make))
        for name, channels in config.attentions.items():
            add_at_path(self, f"{name}.causal_peg", causal_convolution(channels, groups=channels, **make))
            attention = CausalAttention(channels, config.heads, config.head_channels, **make)
            add_at_path(self, f"{name}.causal_attention", attention)


def causal_convolution(channels: int, groups: int = 1, operations=nn, device=None, dtype=None) -> nn.Module:
    """A convolution over three frames with two more frames of output than of input; zero in a new one."""
    layer = operations.Conv3d(
        channels, channels, (3, 1, 1), padding=(2, 0, 0), groups=groups, device=device, dtype=dtype
    )
    start_at_zero(layer)
    return layer


def looking_back(layer: nn.Module, x: torch.Tensor, num_frames: int) -> torch.Tensor:
    """What a causal convolution makes of images x (N, C, H, W): each frame of itself and the two before."""
    return over_video(lambda video: layer(video)[:, :, :num_frames], x, num_frames)


def acts(network: ImagenVideo, places: UNetPlaces) -> Acts:
    """A convolution over frames behind every 3x3 one; a convolution and an attention behind every
    transformer.
    """
    found: dict[str, Act] = {}
    for name, place in places.convolutions().items():
        found[place.path] = behind_convolution(network.get_submodule(f"{name}.causal_conv"))
    for name, (path, _) in places.transformers().items():
        part = network.get_submodule(name)
        found[path] = behind_transformer(part.causal_peg, part.causal_attention)
    return found


def behind_convolution(layer: nn.Module) -> Act:
    """An act around a layer of images: what a causal convolution makes of them is added.

    An image alone has no time and goes by, as in the named code.
    """

    def act(call: Call, inner: Act, x: torch.Tensor, *args, **kwargs) -> torch.Tensor:
        x = inner(x, *args, **kwargs)
        return x if call.num_frames == 1 else call.add(x, looking_back(layer, x, call.num_frames))

    return act


def behind_transformer(peg: nn.Module, layer: CausalAttention) -> Act:
    """An act around a spatial transformer: the convolution that tells positions, then the attention."""
    positioned = behind_convolution(peg)
    attended = behind_layer(lambda tokens, call: layer(tokens, call.attention))

    def act(call: Call, inner: Act, x: torch.Tensor, *args, **kwargs) -> torch.Tensor:
        if call.num_frames == 1:
            return inner(x, *args, **kwargs)
        return attended(call, lambda x: positioned(call, inner, x, *args, **kwargs), x)

    return act


def read(tensors: StateDict, file_name: str) -> tuple[MakeAVideoConfig, StateDict]:
    """Config and weights of a file. Raises ValueError for one that is incomplete or damaged."""
    convolutions = widths_in(tensors, _CONVOLUTION, "causal_conv.weight", file_name)
    norms, queries, biases = (
        widths_in(tensors, _ATTENTION, f"causal_attention.{name}", file_name)
        for name in ("norm.weight", "to_q.weight", "null_attn_bias")
    )
    heads = max([1, *biases.values()])
    config = MakeAVideoConfig(convolutions, norms, heads, max(queries.values(), default=0) // heads)
    return config, weights_for(ImagenVideo(config, device="meta"), tensors, file_name)


METHOD = TemporalMethod(
    name="Imagen Video, causal",
    claims=lambda keys: any(_CONVOLUTION.match(key) for key in keys),
    read=read,
    build=ImagenVideo,
    acts=acts,
    new=new,
    misfit=misfit,
    title=lambda config: (
        f"Imagen Video, {len(config.convolutions)} convolutions, "
        f"{len(config.attentions)} attentions over frames"
    ),
)
