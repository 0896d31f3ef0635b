"""Activation memory of the video networks of this pack at two sizes:
the memory_usage_factor that each should have.

Every network runs in half precision on torch's meta device, which computes shapes only, with positive and
negative prompt in one batch. What lives at the same time is counted tensor by tensor; attention counts as its
output, as a fused kernel needs no more. Core expects rows x height x width x bytes x 0.01 x factor MiB; the
factor here makes that the counted peak.
"""

from __future__ import annotations

import argparse
import json

import comfy.ldm.modules.attention
import comfy.ops
import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

from ..tests.networks.golden_cases import manifest
from ..video_unets.file_shapes import FileShapes
from ..video_unets.formats import VIDEO_UNETS
from ..video_unets.lavie import layers as lavie_layers
from ..video_unets.show1 import blocks as show1_blocks
from ..video_unets.systems import VideoSystem
from ..video_unets.videocrafter import network as videocrafter
from . import video_files
from .video_files import PublishedSize

SIZES = {
    name: size for name, size in video_files.SIZES.items() if not size.conditioning
}  # core's own networks have core's factors


class LiveBytes(TorchDispatchMode):
    """Counts the bytes of tensors made under it that are alive at the same time;
    views of `others` are not new.
    """

    def __init__(self, others):
        super().__init__()
        self.peak = 0
        self._others = {StorageWeakRef(value.untyped_storage()) for value in others}
        self._storages: dict[StorageWeakRef, int] = {}
        self._counted = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for value in out if isinstance(out, tuple | list) else (out,):
            if isinstance(value, torch.Tensor):
                ref = StorageWeakRef(value.untyped_storage())
                if ref not in self._others and ref not in self._storages:
                    self._storages[ref] = value.untyped_storage().nbytes()
                    self._counted += self._storages[ref]
        if self._counted > self.peak:  # perhaps only because of storages that are gone
            self._storages = {ref: size for ref, size in self._storages.items() if not ref.expired()}
            self._counted = sum(self._storages.values())
            self.peak = max(self.peak, self._counted)
        return out


def fused_attention(q, k, v, heads, *args, **kwargs):
    """What a fused kernel allocates: its output."""
    return torch.empty_like(q)


def use_fused_attention() -> None:
    """Puts `fused_attention` where core and the networks look their attention up."""
    for module in (comfy.ldm.modules.attention, lavie_layers, show1_blocks, videocrafter):
        for name in ("optimized_attention", "optimized_attention_masked"):
            if hasattr(module, name):
                setattr(module, name, fused_attention)


def system_of(size: PublishedSize) -> VideoSystem:
    """The system whose file it is, as far as shapes tell."""
    shapes = FileShapes(manifest(size.manifest), size.manifest)
    return next(system for system in VIDEO_UNETS.values() if system.claims(shapes))


def activation_peak(size: PublishedSize, frames: int, height: int, width: int) -> int:
    """Bytes of activations of one call with two prompts; the network and its inputs are not counted."""
    shapes, system = FileShapes(manifest(size.manifest), size.manifest), system_of(size)
    settings = system.settings(shapes.without_prefix(system.prefix))
    network = system.network(**settings, dtype=torch.float16, device="meta", operations=comfy.ops.manual_cast)
    network.requires_grad_(False)
    rows = 2 * frames

    def empty(*shape, dtype=torch.float16):
        return torch.empty(shape, dtype=dtype, device="meta")

    extra = {
        name: empty(rows, dtype=torch.long) if shape is None else empty(2, *shape)
        for name, shape in size.more.items()
    }
    inputs = empty(rows, settings["in_channels"], height, width), empty(rows, dtype=torch.float32)
    with LiveBytes([*network.parameters(), *network.buffers(), *inputs]) as live, torch.no_grad():
        network(
            *inputs,
            context=empty(rows, 77, size.text),
            transformer_options={"cond_or_uncond": [0, 1]},
            **extra,
        )
    return live.peak


def measured_factor(size: PublishedSize, scale: int = 1) -> tuple[float, int]:
    """(the memory_usage_factor that makes core's estimate the counted peak, that peak in bytes) at the
    published size, or at `scale` times its width and height.
    """
    frames, height, width = size.frames, scale * size.height, scale * size.width
    peak = activation_peak(size, frames, height, width)
    return peak / (2 * frames * height * width * 2 * 0.01 * 1024**2), peak


def main(arguments: list[str]) -> dict[str, float]:
    """Prints a table, or with --json one object {published file: the larger factor of two sizes} as the last
    line; returns that object.
    """
    parser = argparse.ArgumentParser(prog="bench video_memory", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("only", nargs="*", help="published files to count; all without")
    options = parser.parse_args(arguments)
    if unknown := set(options.only) - set(SIZES):
        parser.error(f"unknown files {', '.join(sorted(unknown))}; there are {', '.join(SIZES)}")
    use_fused_attention()
    factors = {}
    print(
        f"{'published file':24} {'frames':>6} {'latent':>9} {'peak MiB':>9} {'factor':>7}"
        f" {'four times the pixels':>22} {'declared':>9}"
    )
    for name in options.only or SIZES:
        size = SIZES[name]
        (factor, peak), (larger, _) = measured_factor(size), measured_factor(size, 2)
        factors[name] = round(max(factor, larger), 2)
        declared = system_of(size).memory_usage_factor
        latent = f"{size.height}x{size.width}"
        print(
            f"{name:24} {size.frames:6} {latent:>9} {peak / 1024**2:9.0f} {factor:7.2f} {larger:22.2f}"
            f" {declared:9.2f}",
            flush=True,
        )
    if options.json:
        print(json.dumps(factors))
    return factors
