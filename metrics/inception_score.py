"""Inception Score: how sure Inception is of each frame, and how various the frames are.

Source: Salimans et al. 2016 (arXiv 1606.03498): exp of the mean KL divergence of each p(y|x) from p(y), over
splits of the set in order; logits without bias, as torch-fidelity takes them.
"""

from __future__ import annotations

import statistics

import torch

from .metric import SET, Metric, Protocol, Score, SetFeatures
from .networks.inception import DESCRIPTION, RESIZE, VALUES

SPLITS = 10
ENOUGH = 5000
"""Frames below which the number depends much on how many there are; 50,000 are usual."""


def inception_scores(logits: torch.Tensor, splits: int = SPLITS) -> list[float]:
    """The score of each of so many parts of logits (n, classes), in order. ValueError for n < splits."""
    n = len(logits)
    if n < splits:
        raise ValueError(
            f"inception_score in {splits} splits needs at least {splits} frames, got {n}; add more."
        )
    logs = logits.double().log_softmax(1)
    scores = []
    for i in range(splits):
        log_p = logs[i * n // splits : (i + 1) * n // splits]
        p = log_p.exp()
        mean = p.mean(0, keepdim=True)
        # Where p is 0 in float64, p log p is 0.
        divergence = torch.where(p > 0, p * (log_p - mean.clamp_min(1e-300).log()), 0.0).sum(1)
        scores.append(float(divergence.mean().exp()))
    return scores


def inception_score(features: SetFeatures) -> Score:
    """Mean over SPLITS parts and their standard deviation; fewer frames than that are one part."""
    n = len(features.logits)
    splits = SPLITS if n >= SPLITS else 1
    scores = inception_scores(features.logits, splits)
    rule = f"{splits} splits in order"
    protocol = Protocol(DESCRIPTION, features.frames, features.fps, RESIZE, VALUES, (n,), ddof=0, rule=rule)
    few = f"{n} frames are few: the number grows with n; {ENOUGH} or more are usual."
    warnings = (few,) if n < ENOUGH else ()
    spread = statistics.pstdev(scores) if splits > 1 else None
    return Score("inception_score", sum(scores) / splits, protocol, spread=spread, warnings=warnings)


METRIC = Metric(
    name="inception_score",
    title="Inception Score",
    of=SET,
    better="higher",
    needs=("inception",),
    measure=inception_score,
)
