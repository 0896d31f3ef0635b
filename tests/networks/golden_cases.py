"""Published files' keys and shapes, and the reference implementations' outputs,
for the tests of the video networks.
"""

from __future__ import annotations

import functools
import gzip
import json
from collections.abc import Mapping

import comfy.ops
import torch
from safetensors.torch import load_file

from ...shapes import fold_frames, unfold_frames
from ..gold_weights import gold_state_dict
from ..places import GOLDENS, MANIFESTS


@functools.cache
def manifest(name: str) -> dict[str, tuple[int, ...]]:
    """{key: shape} of a published file."""
    content = json.loads(gzip.decompress((MANIFESTS / f"{name}.json.gz").read_bytes()))
    return {key: tuple(shape) for key, (shape, _dtype) in content["tensors"].items()}


def hollow(shapes) -> dict[str, torch.Tensor]:
    """Tensors of these shapes that occupy a single number each."""
    return {key: torch.empty(1).expand(*shape) if shape else torch.empty(()) for key, shape in shapes.items()}


def golden_description(case: str) -> dict:
    """How the reference made a golden case ("modelscope/unetsd_w64"), its weights' shapes among others."""
    return json.loads((GOLDENS / f"{case}.json").read_text())


def golden_shapes(case: str, widths: Mapping[int, int]) -> dict[str, tuple[int, ...]]:
    """{key: shape} of a golden case's network with some sizes replaced, {its size: another}."""
    shapes = golden_description(case)["shapes"]
    return {key: tuple(widths.get(size, size) for size in shape) for key, shape in shapes.items()}


def load_case(case: str) -> tuple[dict, dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """A golden case: its description, inputs and outputs, and the reference's whole state dict."""
    description = golden_description(case)
    io = load_file(GOLDENS / f"{case}.io.safetensors")
    state_dict = gold_state_dict(description["shapes"], description["gains"])
    total = sum(float(value.double().sum()) for value in state_dict.values())
    made_with = description["weights"]["sum"]
    assert abs(total - made_with) < 1e-6, "the weights are not those that the reference ran with"
    state_dict.update({key: io[stored] for key, stored in description["kept"].items()})
    return description, io, state_dict


def build(network: type, settings: dict, weights: dict[str, torch.Tensor]) -> torch.nn.Module:
    """A network in float32 on the CPU with exactly these weights."""
    made = network(**settings, dtype=torch.float32, device="cpu", operations=comfy.ops.disable_weight_init)
    made.load_state_dict(weights)
    return made.eval().requires_grad_(False)


def forward(
    network,
    x: torch.Tensor,
    t: torch.Tensor,
    context: torch.Tensor,
    per_video=None,
    transformer_options=None,
    **others,
) -> torch.Tensor:
    """One call: x (B, C, F, H, W), t (B,), context (B, T, D) -> (B, C', F, H, W); every video is a
    conditioning chunk of its own.

    per_video: further arguments with one row a video, given to every frame of it; others: as they are.
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
            **others,
        )
    return unfold_frames(y, frames)
