"""Subject consistency in VBench's form: cosines of DINO features to the frame before and to the first.

Source: Huang et al. 2023 (VBench, arXiv 2311.17982), who take DINO ViT-B/16.
"""

from __future__ import annotations

from .consistency import to_previous_and_first
from .metric import CLIP, Clip, Metric, Score, check_length, curve_score


def subject_consistency(clip: Clip) -> Score:
    """0..1. Raises ValueError for fewer than two frames."""
    check_length(clip.frames, 2, "subject_consistency")
    encoder = clip.subject_encoder
    rule = "previous and first frame; VBench's own numbers are of DINO ViT-B/16"
    protocol = clip.protocol(network=encoder.name, resize=encoder.resize, rule=rule)
    values = to_previous_and_first(clip.subject_embeddings)
    return curve_score("subject_consistency", values, protocol, first=1)


METRIC = Metric(
    name="subject_consistency",
    title="Subject consistency (VBench's form)",
    of=CLIP,
    better="higher",
    needs=("subject_encoder",),
    least_frames=2,
    measure=subject_consistency,
)
