"""The metrics of this pack. A new one is a line here."""

from __future__ import annotations

from ..foreign_text import printable
from . import (
    aesthetic,
    background_consistency,
    clip_adjacent,
    clip_consistency,
    clip_score,
    clip_similarity,
    dynamic_degree,
    fid,
    flicker,
    fvd,
    inception_score,
    psnr,
    ssim,
    subject_consistency,
    warping_error,
)
from .metric import Metric

METRICS: dict[str, Metric] = {
    module.METRIC.name: module.METRIC
    for module in (
        psnr,
        ssim,
        flicker,
        warping_error,
        dynamic_degree,
        clip_consistency,
        clip_adjacent,
        subject_consistency,
        background_consistency,
        clip_similarity,
        clip_score,
        aesthetic,
        fid,
        fvd,
        inception_score,
    )
}
"""Name -> metric, in the order of tables. Rules over every entry: tests/bare/metrics/test_rules.py."""


def chosen_metrics(text: str) -> list[Metric]:
    """The metrics that a person has listed, by commas, spaces or lines; none for an empty text.

    Raises ValueError for a name that is not in METRICS.
    """
    names = list(dict.fromkeys(text.lower().replace(",", " ").split()))
    for name in names:
        if name not in METRICS:
            raise ValueError(
                f"metrics: '{printable(name)}' is not known; it may be one of {', '.join(METRICS)}."
            )
    return [METRICS[name] for name in names]
