"""Frame consistency: the mean cosine of the CLIP features of all pairs of frames.

Source: Esser et al. 2023 (arXiv 2302.03011).
"""

from __future__ import annotations

from .consistency import all_pairs
from .metric import CLIP, Clip, Metric, Score, check_length


def clip_consistency(clip: Clip) -> Score:
    """-1..1. Raises ValueError for fewer than two frames."""
    check_length(clip.frames, 2, "clip_consistency")
    encoder = clip.image_encoder
    protocol = clip.protocol(network=encoder.name, resize=encoder.resize, rule="all pairs")
    return Score("clip_consistency", all_pairs(clip.embeddings), protocol)


METRIC = Metric(
    name="clip_consistency",
    title="Frame consistency (CLIP, all pairs)",
    of=CLIP,
    better="higher",
    needs=("image_encoder",),
    least_frames=2,
    measure=clip_consistency,
)
