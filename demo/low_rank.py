"""Low-rank changes of frozen weights, for training LoRA files:
W + up @ down, the weight's rows in one part or several.

Source: Hu et al. 2021, arXiv 2106.09685. A fused query, key and
value matrix counts as three parts, each with a change of its own.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn
from torch.nn.utils import parametrize


class LowRankChange(nn.Module):
    """The change of one weight (rows, ...):
    for each part an up (rows / parts, rank) and a down (rank, columns).
    """

    def __init__(self, weight: torch.Tensor, rank: int, parts: int = 1):
        super().__init__()
        rows, columns = weight.shape[0] // parts, weight[0].numel()
        self.up = nn.ParameterList(torch.zeros(rows, rank) for _ in range(parts))
        self.down = nn.ParameterList(torch.randn(rank, columns) * columns**-0.5 for _ in range(parts))

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        change = torch.cat([up @ down for up, down in zip(self.up, self.down, strict=True)])
        return weight + change.view(weight.shape)


def attach(
    model: nn.Module, names: Iterable[str], rank: int, fused: str = "to_qkv"
) -> dict[str, LowRankChange]:
    """Make the weights of the named layers of a frozen model changeable;
    returns the changes by layer name.
    """
    changes = {}
    for name in names:
        layer = model.get_submodule(name)
        change = LowRankChange(layer.weight, rank, 3 if name.endswith(fused) else 1).to(layer.weight)
        parametrize.register_parametrization(layer, "weight", change)
        changes[name] = change
    return changes


def named_parameters(changes: dict[str, LowRankChange]) -> list[tuple[str, nn.Parameter]]:
    """All trained parameters: "layer.up.0", "layer.down.0", ..."""
    return [(f"{name}.{key}", p) for name, change in changes.items() for key, p in change.named_parameters()]
