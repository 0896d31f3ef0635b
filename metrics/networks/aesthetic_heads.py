"""LAION's two heads that score CLIP-L/14 features of length 1: one linear layer, or five without activations.

Source: LAION's aesthetic-predictor and improved-aesthetic-predictor; the layers between, dropout, do nothing
once trained. N images.
"""

from __future__ import annotations

import torch
from torch import nn

WIDTHS = (768, 1024, 128, 64, 16, 1)
PLACES = (0, 2, 4, 6, 7)
"""Of the layers in the file; the others were dropout."""


class LinearHead(nn.Module):
    """Keys `weight` (1, 768) and `bias`."""

    def __init__(self):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.empty(1, WIDTHS[0])), nn.Parameter(torch.empty(1))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(N, 768) -> (N,)."""
        return (features @ self.weight.T + self.bias)[:, 0]


class DeepHead(nn.Module):
    """Keys `layers.0.weight` to `layers.7.bias`."""

    def __init__(self):
        super().__init__()
        sizes = zip(PLACES, WIDTHS[:-1], WIDTHS[1:], strict=True)
        self.layers = nn.ModuleDict({str(place): nn.Linear(inner, out) for place, inner, out in sizes})

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(N, 768) -> (N,)."""
        for layer in self.layers.values():
            features = layer(features)
        return features[:, 0]
