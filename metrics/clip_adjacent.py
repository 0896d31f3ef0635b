"""Frame consistency of neighbours: the mean cosine of each frame's CLIP features to those of the one before.

Source: Wu et al. 2022 (arXiv 2212.11565).
"""

from __future__ import annotations

from .consistency import adjacent
from .metric import CLIP, Clip, Metric, Score, check_length, curve_score


def clip_adjacent(clip: Clip) -> Score:
    """-1..1. Raises ValueError for fewer than two frames."""
    check_length(clip.frames, 2, "clip_adjacent")
    encoder = clip.image_encoder
    protocol = clip.protocol(network=encoder.name, resize=encoder.resize, rule="adjacent frames")
    return curve_score("clip_adjacent", adjacent(clip.embeddings), protocol, first=1)


METRIC = Metric(
    name="clip_adjacent",
    title="Frame consistency (CLIP, adjacent)",
    of=CLIP,
    better="higher",
    needs=("image_encoder",),
    least_frames=2,
    measure=clip_adjacent,
)
