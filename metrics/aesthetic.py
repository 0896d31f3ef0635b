"""Aesthetic score of a clip: the mean over its frames of LAION's head on CLIP-L/14 features.

Source: Schuhmann et al. 2022 (LAION-5B, arXiv 2210.08402); heads: LAION's aesthetic-predictor (linear) and
improved-aesthetic-predictor (five layers without activations).
"""

from __future__ import annotations

from .consistency import unit
from .metric import CLIP, Clip, Metric, Score, curve_score


def aesthetic(clip: Clip) -> Score:
    """About 1..10; VBench divides it by 10."""
    head, encoder = clip.aesthetic_head, clip.image_encoder
    values = head(unit(clip.embeddings).float()).double().tolist()
    network = f"{head.name} on {encoder.name}"
    return curve_score("aesthetic", values, clip.protocol(network=network, resize=encoder.resize))


METRIC = Metric(
    name="aesthetic",
    title="Aesthetic score",
    of=CLIP,
    better="higher",
    needs=("image_encoder", "aesthetic_head"),
    measure=aesthetic,
)
