"""Published files' keys and shapes, and the reference
implementations' outputs, for the tests of the video networks.
"""

from __future__ import annotations

import functools
import gzip
import json

import comfy.ops
import torch
from safetensors.torch import load_file

from ....shapes import fold_frames, unfold_frames
from ...gold_weights import gold_state_dict
from ...places import GOLDENS, MANIFESTS


@functools.cache
def manifest(name: str) -> dict[str, tuple[int, ...]]:
    """{key: shape} of a published file."""
    content = json.loads(gzip.decompress((MANIFESTS / f"{name}.json.gz").read_bytes()))
    return {key: tuple(shape) for key, (shape, _dtype) in content["tensors"].items()}


def hollow(shapes) -> dict[str, torch.Tensor]:
    """Tensors of these shapes that occupy a single number each."""
    return {key: torch.empty(1).expand(*shape) if shape else torch.empty(()) for key, shape in shapes.items()}


def load_case(name: str) -> tuple[dict, dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """A golden case ("modelscope/unetsd_w64"): its description,
    inputs and outputs, and the reference's whole state dict.
    """
    meta = json.loads((GOLDENS / f"{name}.json").read_text())
    io = load_file(GOLDENS / f"{name}.io.safetensors")
    state_dict = gold_state_dict(meta["shapes"], meta["gains"])
    total = sum(float(value.double().sum()) for value in state_dict.values())
    assert abs(total - meta["weights"]["sum"]) < 1e-6, "the weights are not those that the reference ran with"
    state_dict.update({key: io[stored] for key, stored in meta["kept"].items()})
    return meta, io, state_dict


def build(network: type, settings: dict, weights: dict[str, torch.Tensor]) -> torch.nn.Module:
    """A network in float32 on the CPU with exactly these weights."""
    made = network(**settings, dtype=torch.float32, device="cpu", operations=comfy.ops.disable_weight_init)
    made.load_state_dict(weights)
    return made.eval().requires_grad_(False)


def forward(
    network, x: torch.Tensor, t: torch.Tensor, context: torch.Tensor, per_video=None, transformer_options=None
) -> torch.Tensor:
    """One call: x (B, C, F, H, W), t (B,), context (B, T, D) -> (B, C', F, H, W); every video is a
    conditioning chunk of its own.

    per_video: further arguments with one row a video, given to every frame of it.
    """
    videos, frames = x.shape[0], x.shape[2]
    options = {"cond_or_uncond": [0] * videos, **(transformer_options or {})}
    rows = {key: value.repeat_interleave(frames, 0) for key, value in (per_video or {}).items()}
    with torch.no_grad():
        y = network(
            fold_frames(x),
            t.repeat_interleave(frames),
            context=context.repeat_interleave(frames, 0),
            transformer_options=options,
            **rows,
        )
    return unfold_frames(y, frames)
