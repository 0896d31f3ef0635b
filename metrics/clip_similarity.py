"""How well frames fit a text: the mean cosine of their CLIP features to the text's.

Source: Radford et al. 2021 (arXiv 2103.00020); over frames: Wu et al. 2021 (GODIVA, arXiv 2104.14806).
"""

from __future__ import annotations

from .consistency import unit
from .metric import CLIP, Clip, Metric, Score, curve_score


def similarities(clip: Clip) -> list[float]:
    """The cosine of each frame to the text. Raises ValueError for features of different networks."""
    features, text = clip.embeddings, clip.text
    if features.shape[-1] != text.shape[-1]:
        raise ValueError(
            f"the image encoder has {features.shape[-1]} features and the text encoder {text.shape[-1]}; take"
            " both from one CLIP, for example CLIP-L/14."
        )
    return (unit(features) @ unit(text)).tolist()


def clip_similarity(clip: Clip) -> Score:
    """-1..1; only numbers of one network can be compared."""
    encoder = clip.image_encoder
    protocol = clip.protocol(network=encoder.name, resize=encoder.resize, rule="cosine to the text")
    return curve_score("clip_similarity", similarities(clip), protocol)


METRIC = Metric(
    name="clip_similarity",
    title="CLIP similarity to the text",
    of=CLIP,
    better="higher",
    needs=("image_encoder", "text"),
    measure=clip_similarity,
)
