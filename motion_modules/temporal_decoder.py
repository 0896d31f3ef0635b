"""Temporal layers in the decoder of an image VAE: frames know of each other while they are decoded.

Source: Blattmann et al. 2023, arXiv 2304.08818, section 3.1.1: layers over frames are put into the decoder
and trained on videos, the encoder stays as it is. MagicVideo's VidVAE (arXiv 2211.11018) is the same idea
without published details. Stable Video Diffusion's decoder fixes the layers (github.com/Stability-AI/
generative-models, VideoDecoder with time_mode "conv-only", which every published file has): behind each
ResBlock a residual block of convolutions over three frames whose norms see all frames, and one such
convolution behind the last one. Its blend is the reverse of its UNet's: alpha * temporal +
(1 - alpha) * spatial, alpha = sigmoid(mix_factor). Ours: a new block adds nothing, and the last convolution
is kept as its change from the identity, so that new layers change nothing on any processor. The attention
over frames that VideoDecoder can have besides is left out: no published file uses it.

Letters: N images, B videos, F frames, N = B*F, C channels, O of the pictures, H height, W width.
Names are those of Stable Video Diffusion's file, below the VAE:

    decoder.mid.block_1.time_stack.in_layers.0, .in_layers.2, .out_layers.0, .out_layers.3
    decoder.mid.block_1.mix_factor
    decoder.conv_out.time_mix_conv.weight, .bias      the whole kernel (O, O, 3, 1, 1)
    decoder.conv_out.time_mix_conv.diff, .bias        its change from the identity, in ours
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import nn

from ..foreign_text import printable
from .call import Call
from .file_tensors import StateDict, weights_for, widths_in
from .frame_attention import over_video
from .make_a_video import temporal_convolution
from .method import TemporalMethod
from .named_layers import add_at_path
from .points import Act, Acts
from .zero_layers import start_at_zero

_BLOCK = re.compile(r"^(decoder\..+)\.(?:time_stack\.|mix_factor$)")
_LAST = re.compile(r"^(decoder\.conv_out)\.time_mix_conv\.")
GROUPS = 32
"""Of every norm over frames."""


@dataclass(frozen=True)
class DecoderPlaces:
    """Where the layers of a VAE's decoder lie: C by path of a ResBlock, O by path of the last convolution."""

    blocks: Mapping[str, int] = field(hash=False)
    last: Mapping[str, int] = field(hash=False)


class TimeStack(nn.Module):
    """Twice norm, SiLU and a convolution over three frames."""

    def __init__(self, channels: int, operations=nn, device=None, dtype=None):
        super().__init__()
        factory_kwargs = {"device": device, "dtype": dtype}

        def layers() -> list[nn.Module]:
            norm = operations.GroupNorm(GROUPS, channels, **factory_kwargs)
            conv = operations.Conv3d(channels, channels, (3, 1, 1), padding=(1, 0, 0), **factory_kwargs)
            return [norm, nn.SiLU(), conv]

        norm, activation, conv = layers()
        self.in_layers = nn.Sequential(*layers())
        self.out_layers = nn.Sequential(norm, activation, nn.Identity(), conv)  # dropout in the named code
        start_at_zero(conv)

    def forward(self, video: torch.Tensor) -> torch.Tensor:
        """What is added to video (B, C, F, H, W)."""
        return self.out_layers(self.in_layers(video))


class TemporalBlock(nn.Module):
    """A residual block over frames and its learned share."""

    def __init__(self, channels: int, operations=nn, device=None, dtype=None):
        super().__init__()
        self.time_stack = TimeStack(channels, operations, device, dtype)
        self.mix_factor = nn.Parameter(torch.zeros(1, device=device, dtype=dtype))

    def forward(self, video: torch.Tensor) -> torch.Tensor:
        """What is added to video (B, C, F, H, W): alpha (temporal - spatial)."""
        return self.time_stack(video) * torch.sigmoid(self.mix_factor.to(video))


class TemporalDecoder(nn.Module):
    """All temporal layers of a decoder."""

    def __init__(self, config: DecoderPlaces, operations=nn, device=None, dtype=None):
        super().__init__()
        self.config = config
        for name, channels in config.blocks.items():
            add_at_path(self, name, TemporalBlock(channels, operations, device, dtype))
        for name, channels in config.last.items():
            layer = temporal_convolution(channels, operations, device, dtype)
            add_at_path(self, f"{name}.time_mix_conv", layer)


class FrameDecoder(nn.Module):
    """A VAE as the network around which `points.inject` puts acts: latents of frames (N, C, h, w) to pictures
    (N, O, H, W).

    vae: a network with `decoder` and `decode`, such as ComfyUI's AutoencoderKL.
    """

    def __init__(self, vae: nn.Module):
        super().__init__()
        self.decoder, self._decode = vae.decoder, vae.decode

    def forward(self, latents: torch.Tensor, transformer_options: dict | None = None) -> torch.Tensor:
        return self._decode(latents)


def acts(network: TemporalDecoder, places: DecoderPlaces) -> Acts:
    """A residual block over frames behind every ResBlock, a convolution over frames behind the last one."""
    found = {name: _behind(network.get_submodule(name)) for name in places.blocks}
    return found | {name: _behind(network.get_submodule(f"{name}.time_mix_conv")) for name in places.last}


def _behind(layer: nn.Module) -> Act:
    """An act around a layer of images. One frame alone goes through it as well, as in the named code."""

    def act(call: Call, inner: Act, x: torch.Tensor, *args, **kwargs) -> torch.Tensor:
        x = inner(x, *args, **kwargs)
        return call.add(x, over_video(layer, x, call.num_frames))

    return act


def claims(keys: frozenset[str]) -> bool:
    """Whether a file has such layers, alone or in a whole VAE."""
    return any(_BLOCK.match(key) or _LAST.match(key) for key in keys)


def read(tensors: StateDict, file_name: str) -> tuple[DecoderPlaces, StateDict]:
    """Config and weights of a file; of a whole VAE its temporal layers alone are taken.

    Raises ValueError for a file that has none, is incomplete or damaged.
    """
    blocks = widths_in(tensors, _BLOCK, "time_stack.out_layers.3.weight", file_name, GROUPS)
    last = widths_in(tensors, _LAST, "time_mix_conv.bias", file_name)
    if not blocks or not last:
        missing = "decoder.mid.block_1.time_stack" if last else "decoder.conv_out.time_mix_conv"
        raise ValueError(
            f"'{printable(file_name)}' has no '{printable(missing)}', which temporal layers of a decoder "
            "have; the file is incomplete, download it again."
        )
    config = DecoderPlaces(blocks, last)
    return config, weights_for(
        TemporalDecoder(config, device="meta"), _as_changes(tensors, file_name), file_name
    )


def _as_changes(tensors: StateDict, file_name: str) -> StateDict:
    """The last kernel of a file, whole or as `.diff`, as the network has it: its change from the identity."""
    found = dict(tensors)
    for name in {match[1] for key in tensors if (match := _LAST.match(key))}:
        whole, change = f"{name}.time_mix_conv.weight", f"{name}.time_mix_conv.diff"
        if whole in tensors and change in tensors:
            raise ValueError(
                f"'{printable(file_name)}' has '{printable(whole)}' and its change; keep one of them."
            )
        if change in tensors:
            found[whole] = found.pop(change)
        elif whole in tensors and tensors[whole].ndim == 5:
            found[whole] = tensors[whole] - nn.init.dirac_(torch.empty_like(tensors[whole]))
    return found


def to_file(network: TemporalDecoder) -> StateDict:
    """The weights as files of this pack have them."""
    return {re.sub(r"(\.time_mix_conv)\.weight$", r"\1.diff", key): value
            for key, value in network.state_dict().items()}  # fmt: skip


def misfit(network: TemporalDecoder, places: DecoderPlaces) -> str:
    """Why the layers do not fit a decoder; empty when they do."""
    own = {**network.config.blocks, **network.config.last}
    theirs = {**places.blocks, **places.last}
    for name in dict.fromkeys([*theirs, *own]):
        if own.get(name) != theirs.get(name):
            difference = f"{_has(own, name, 'have')}, this VAE {_has(theirs, name, 'has')}"
            return f"at '{printable(name)}' they {difference}"
    return ""


def _has(widths: Mapping[str, int], name: str, verb: str) -> str:
    return f"{verb} {widths[name]} channels" if name in widths else f"{verb} nothing"


METHOD = TemporalMethod(
    name="Temporal decoder",
    claims=claims,
    read=read,
    build=TemporalDecoder,
    acts=acts,
    new=lambda places: places,
    to_file=to_file,
    misfit=misfit,
    title=lambda config: f"temporal decoder, {len(config.blocks) + len(config.last)} layers",
)
"""For VAEs: its places are `DecoderPlaces`. It is no entry of METHODS, whose places are those of a UNet."""
