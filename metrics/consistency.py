"""How alike the features of a clip's frames are: the three forms that the field has. F frames, D features."""

from __future__ import annotations

import torch

from .metric import CLIP, Clip, Metric, Score, check_length, curve_score


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


def vbench_metric(name: str, title: str, encoder: str, embeddings: str, theirs: str) -> Metric:
    """A metric of to_previous_and_first, 0..1. encoder, embeddings: fields of Clip. theirs: VBench's own."""

    def measure(clip: Clip) -> Score:
        check_length(clip.frames, 2, name)
        used = getattr(clip, encoder)
        rule = f"previous and first frame; VBench's own numbers are of {theirs}"
        protocol = clip.protocol(network=used.name, resize=used.resize, rule=rule)
        return curve_score(name, to_previous_and_first(getattr(clip, embeddings)), protocol, first=1)

    return Metric(name=name, title=title, of=CLIP, better="higher", needs=(encoder,), least_frames=2,
                  measure=measure)  # fmt: skip
