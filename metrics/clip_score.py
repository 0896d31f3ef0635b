"""CLIPScore: 100 times the mean cosine of frames to a text, each at least 0.

Source: Hessel et al. 2021 (arXiv 2104.08718), with the factor 100 that the field reports, not their 2.5.
"""

from __future__ import annotations

from .clip_similarity import similarities
from .metric import CLIP, Clip, Metric, Score, curve_score


def clip_score(clip: Clip) -> Score:
    """0..100."""
    encoder = clip.image_encoder
    protocol = clip.protocol(network=encoder.name, resize=encoder.resize, rule="100 max(cosine, 0)")
    return curve_score("clip_score", [100 * max(value, 0.0) for value in similarities(clip)], protocol)


METRIC = Metric(
    name="clip_score",
    title="CLIPScore",
    of=CLIP,
    better="higher",
    needs=("image_encoder", "text"),
    measure=clip_score,
)
