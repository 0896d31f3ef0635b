"""Puts low-rank changes on layers of networks that are trained outside of ComfyUI (tuning/low_rank.py)."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn
from torch.nn.utils import parametrize

from ..tuning.low_rank import LowRank


def attach(model: nn.Module, names: Iterable[str], rank: int, fused: str = "to_qkv") -> dict[str, LowRank]:
    """Make the weights of the named layers of a frozen model changeable;
    returns the changes by layer name.
    """
    changes = {}
    for name in names:
        layer = model.get_submodule(name)
        parts, spread = 3 if name.endswith(fused) else 1, layer.weight[0].numel() ** -0.5
        change = LowRank(layer.weight.shape, rank, parts, spread=spread).to(layer.weight)
        parametrize.register_parametrization(layer, "weight", change)
        changes[name] = change
    return changes


def named_parameters(changes: dict[str, LowRank]) -> list[tuple[str, nn.Parameter]]:
    """All trained parameters: "layer.up.0", "layer.down.0", ..."""
    return [(f"{name}.{key}", p) for name, change in changes.items() for key, p in change.named_parameters()]
