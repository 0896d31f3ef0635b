"""Activation memory of the video networks at their published sizes: the memory_usage_factor that each should have.

Every network runs once in half precision on torch's meta device, which computes shapes only, with positive and negative prompt in one
batch. What lives at the same time is counted tensor by tensor; attention counts as its output, as a fused kernel needs no more. Core
expects rows x height x width x bytes x 0.01 x factor MiB; the factor here makes that the counted peak.
"""

from __future__ import annotations

import argparse
import gzip
import json
from pathlib import Path

import comfy.ldm.modules.attention
import comfy.ops
import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

from ..video_unets import lavie_layers, show1_blocks, videocrafter
from ..video_unets.file_shapes import FileShapes
from ..video_unets.formats import VIDEO_UNETS

MANIFESTS = Path(__file__).resolve().parents[1] / "tests" / "data" / "manifests"

# system: (manifest, frames, latent height, width, text width, further arguments by name: their shape after the batch)
SIZES = {
    "modelscope": ("modelscope_text2video_pytorch_model", 16, 32, 32, 1024, {}),
    "modelscope, ZeroScope 576w": ("modelscope_text2video_pytorch_model", 24, 40, 72, 1024, {}),
    "modelscope, ZeroScope XL": ("modelscope_text2video_pytorch_model", 24, 72, 128, 1024, {}),
    "videocrafter1_t2v_512": ("videocrafter1_t2v_512", 16, 40, 64, 1024, {}),
    "videocrafter1_t2v_1024": ("videocrafter1_t2v_1024", 16, 72, 128, 1024, {"fps": ()}),
    "videocrafter2_t2v_512": ("videocrafter2_t2v_512", 16, 40, 64, 1024, {"fps": ()}),
    "videocrafter1_i2v_512": ("videocrafter1_i2v_512", 16, 40, 64, 1024, {"fps": (), "image_tokens": (16, 1024)}),
    "dynamicrafter_256": ("dynamicrafter_256", 16, 32, 32, 1024, {"fps": (), "image_tokens": (256, 1024)}),
    "dynamicrafter_512": ("dynamicrafter_512", 16, 40, 64, 1024, {"fps": (), "image_tokens": (256, 1024)}),
    "dynamicrafter_512, 1024": ("dynamicrafter_1024", 16, 72, 128, 1024, {"fps": (), "image_tokens": (256, 1024)}),
    "lavie_base": ("lavie_base", 16, 40, 64, 768, {}),
    "lavie_interpolation": ("lavie_interpolation", 61, 40, 64, 768, {}),
    "lavie_vsr": ("lavie_vsr", 8, 320, 512, 1024, {"y": None}),
    "show1_base": ("show1_base_unet", 8, 40, 64, 4096, {}),
    "show1_interpolation": ("show1_interpolation_unet_assumed", 5, 40, 64, 4096, {}),
    "show1_sr1": ("show1_sr1_unet", 8, 160, 256, 4096, {"y": None}),
}  # fmt: skip


class LiveBytes(TorchDispatchMode):
    """Counts the bytes of tensors made under it that are alive at the same time; views of `others` are not new."""

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


def activation_peak(manifest: str, frames: int, height: int, width: int, text_width: int, more: dict) -> int:
    """Bytes of activations of one call with two prompts; the network and its inputs are not counted."""
    content = json.loads(gzip.decompress((MANIFESTS / f"{manifest}.json.gz").read_bytes()))["tensors"]
    shapes = FileShapes({key: shape for key, (shape, _) in content.items()}, manifest)
    system = next(system for system in VIDEO_UNETS.values() if system.claims(shapes))
    settings = system.settings(shapes.without_prefix(system.prefix))
    network = system.network()(**settings, dtype=torch.float16, device="meta", operations=comfy.ops.manual_cast)
    network.requires_grad_(False)
    rows = 2 * frames

    def empty(*shape, dtype=torch.float16):
        return torch.empty(shape, dtype=dtype, device="meta")

    extra = {name: empty(rows, dtype=torch.long) if shape is None else empty(2, *shape) for name, shape in more.items()}
    inputs = empty(rows, settings["in_channels"], height, width), empty(rows, dtype=torch.float32)
    with LiveBytes([*network.parameters(), *network.buffers(), *inputs]) as live, torch.no_grad():
        network(*inputs, context=empty(rows, 77, text_width), transformer_options={"cond_or_uncond": [0, 1]}, **extra)
    return live.peak


def main(arguments: list[str]) -> dict[str, float]:
    """Prints a table, or with --json one object {size: factor} as the last line; returns that object."""
    parser = argparse.ArgumentParser(prog="bench video_memory", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("only", nargs="*", help="sizes to count; all without")
    options = parser.parse_args(arguments)
    use_fused_attention()
    factors = {}
    print(f"{'size':28} {'frames':>6} {'latent':>9} {'peak MiB':>9} {'factor':>7} {'declared':>8}")
    for name, size in SIZES.items():
        if options.only and name not in options.only:
            continue
        peak = activation_peak(*size)
        frames, height, width = size[1:4]
        factors[name] = round(peak / (2 * frames * height * width * 2 * 0.01 * 1024**2), 2)
        declared = VIDEO_UNETS[name.split(",")[0]].memory_usage_factor
        print(f"{name:28} {frames:6} {height:4}x{width:4} {peak / 1024**2:9.0f} {factors[name]:7.2f} {declared:8.2f}")
    if options.json:
        print(json.dumps(factors))
    return factors
