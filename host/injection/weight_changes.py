"""Adjust Weights: weights of a module times a factor, plus a number.

Source of the groups: AnimateDiff-Evolved's weight adjustments. What a module of another method has under the
same kind of names is grouped alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from comfy.weight_adapter.base import WeightAdapterBase

from ...foreign_text import printable
from ...motion_modules.positions import POSITION_TABLE
from ..node_notes import current_node, say
from .motion_models import MotionModule, with_a_network_of_its_own

ALL, POSITIONS, ATTENTION, OTHER = "all", "position table", "attention", "other"
_PARTS = {"attention q": "to_q", "attention k": "to_k", "attention v": "to_v"}
_OUT = {"attention out weight": "to_out.weight", "attention out bias": "to_out.bias"}
GROUPS = [ALL, POSITIONS, ATTENTION, *_PARTS, *_OUT, OTHER]
_FUSED = "to_qkv"


@dataclass(frozen=True)
class WeightChange:
    """Every weight W of a group becomes W * multiply + add. Raises ValueError for numbers that are not
    finite, and for an unknown group.
    """

    group: str = ALL
    multiply: float = 1.0
    add: float = 0.0

    def __post_init__(self) -> None:
        if self.group not in GROUPS:
            raise ValueError(
                f"group='{printable(self.group)}' must be one of {', '.join(GROUPS)}; choose one."
            )
        for name in ("multiply", "add"):
            if not math.isfinite(value := getattr(self, name)):
                raise ValueError(f"{name}={value} must be a finite number; correct it.")


class AddedNumber(WeightAdapterBase):
    """ComfyUI's patch of a weight of any shape: a number is added to it."""

    name = "added number"

    def __init__(self, number: float) -> None:
        self.number, self.loaded_keys, self.weights = number, set(), []

    def calculate_weight(self, weight: torch.Tensor, *args, **kwargs) -> torch.Tensor:
        """In place, as ComfyUI's own do: weight may be a part of a larger one."""
        return weight.add_(self.number)


def adjust_weights(module: MotionModule, change: WeightChange) -> MotionModule:
    """The module with a group of its weights changed; module itself is not.

    What was patched before is changed too, what is patched later is not: chained nodes work in their order.
    Raises ValueError where the module has no weights of that group.
    """
    weights = dict(module.patcher.model.named_parameters())
    targets = [target for key, value in weights.items() for target in _targets(key, len(value), change.group)]
    if not targets:
        raise ValueError(
            f"'{printable(module.name)}' ({module.method.name}) has no weights of the group "
            f"'{printable(change.group)}'; choose another group."
        )
    if change.multiply == 1 and change.add == 0:
        say("Adjust Weights changes nothing: multiply is 1 and add is 0.", current_node())
        return module
    patcher = with_a_network_of_its_own(module)
    patcher.add_patches({target: AddedNumber(change.add) for target in targets}, 1.0, change.multiply)
    return replace(module, patcher=patcher)


def _targets(key: str, rows: int, group: str) -> Iterator[str | tuple[str, tuple[int, int, int]]]:
    """What of a weight (rows, ...) is of a group: nothing, all of it, or a third of fused projections.

    >>> list(_targets("a.to_qkv.weight", 6, "attention k"))
    [('a.to_qkv.weight', (0, 2, 2))]
    """
    kind = _kind(key)
    if kind == _FUSED and group in _PARTS:
        yield key, (0, list(_PARTS).index(group) * rows // 3, rows // 3)
    elif group in (ALL, _group_of(kind)) or kind in (_PARTS.get(group), _OUT.get(group)):
        yield key


def _kind(key: str) -> str:
    """What a weight is by its name: "to_qkv", "to_q", "to_out.bias", ...; empty for others."""
    if key.endswith(POSITION_TABLE):
        return POSITION_TABLE
    *_, layer, name = key.replace(".to_out.0.", ".to_out.").rsplit(".", 2)
    if layer == "to_out":
        return f"to_out.{name}"
    return layer if layer in (_FUSED, *_PARTS.values()) else ""


def _group_of(kind: str) -> str:
    if kind == POSITION_TABLE:
        return POSITIONS
    return ATTENTION if kind else OTHER
