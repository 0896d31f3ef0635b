"""Low-rank changes of frozen weights, as they are trained: W + up @ down, rows in one part or several.

Source: Hu et al. 2021, arXiv 2106.09685; down is normal with variance 1 / rank and up zero, so that a new
change changes nothing (MotionDirector's and AnimateDiff's LoRA layers). A fused query, key and value matrix
counts as three parts, each with a change of its own.
"""

from __future__ import annotations

import torch
from torch import nn


class LowRank(nn.Module):
    """The change of one weight (rows, ...): for each part an up (rows / parts, rank) and a down (rank,
    columns). What it is called with is the weight, in the dtype that the layer computes in.

    spread: standard deviation of a new down; None = rank**-0.5.
    """

    def __init__(
        self, shape: torch.Size, rank: int, parts: int = 1, generator: torch.Generator | None = None,
        spread: float | None = None,
    ):  # fmt: skip
        super().__init__()
        rows, columns = shape[0] // parts, shape[1:].numel()
        self.up = nn.ParameterList(torch.zeros(rows, rank) for _ in range(parts))
        self.down = nn.ParameterList(
            torch.randn(rank, columns, generator=generator) * (spread or rank**-0.5) for _ in range(parts)
        )

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """weight plus the change, in its dtype and on its device."""
        change = torch.cat([up @ down for up, down in zip(self.up, self.down, strict=True)])
        return weight + change.view(weight.shape).to(weight)

    def pairs(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """(up, down) of each part, without gradients, on the CPU."""
        return [
            (up.detach().cpu().clone(), down.detach().cpu().clone())
            for up, down in zip(self.up, self.down, strict=True)
        ]
