"""How alike the features of a clip's frames are: the three forms that the field has. F frames, D features."""

from __future__ import annotations

import torch


def unit(features: torch.Tensor) -> torch.Tensor:
    """Features (..., D) of length 1, in float64."""
    features = features.double()
    return features / features.norm(dim=-1, keepdim=True).clamp_min(1e-12)


def all_pairs(features: torch.Tensor) -> float:
    """Mean cosine of all pairs of different frames (F, D): Esser et al. 2023 (arXiv 2302.03011)."""
    rows = unit(features)
    return float(((rows @ rows.T).sum() - len(rows)) / (len(rows) * (len(rows) - 1)))


def adjacent(features: torch.Tensor) -> list[float]:
    """Cosine of each frame (F, D) to the one before, F - 1 values: Wu et al. 2022 (arXiv 2212.11565)."""
    rows = unit(features)
    return (rows[1:] * rows[:-1]).sum(1).tolist()


def to_previous_and_first(features: torch.Tensor) -> list[float]:
    """Mean of each frame's cosines, at least 0, to the one before and to the first one (F, D), F - 1 values:
    Huang et al. 2023 (VBench, arXiv 2311.17982).
    """
    rows = unit(features)
    before = (rows[1:] * rows[:-1]).sum(1).clamp_min(0)
    return ((before + (rows[1:] @ rows[0]).clamp_min(0)) / 2).tolist()
