"""Background consistency in VBench's form: cosines of CLIP features to the frame before and to the first.

Source: Huang et al. 2023 (VBench, arXiv 2311.17982), who take CLIP ViT-B/32.
"""

from __future__ import annotations

from .consistency import to_previous_and_first
from .metric import CLIP, Clip, Metric, Score, check_length, curve_score


def background_consistency(clip: Clip) -> Score:
    """0..1. Raises ValueError for fewer than two frames."""
    check_length(clip.frames, 2, "background_consistency")
    encoder = clip.image_encoder
    rule = "previous and first frame; VBench's own numbers are of CLIP ViT-B/32"
    protocol = clip.protocol(network=encoder.name, resize=encoder.resize, rule=rule)
    values = to_previous_and_first(clip.embeddings)
    return curve_score("background_consistency", values, protocol, first=1)


METRIC = Metric(
    name="background_consistency",
    title="Background consistency (VBench's form)",
    of=CLIP,
    better="higher",
    needs=("image_encoder",),
    least_frames=2,
    measure=background_consistency,
)
