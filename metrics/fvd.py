"""Frechet Video Distance: how far the clips of two sets are apart, in I3D's logits.

Source: Unterthiner et al. 2018 (arXiv 1812.01717); network and resize as cd-fvd and TATS have them.
"""

from __future__ import annotations

from .frechet import few_warnings, frechet_distance
from .metric import TWO_SETS, Metric, Protocol, Score, SetFeatures
from .networks.i3d import CLASSES, DESCRIPTION, RESIZE, VALUES


def fvd(a: SetFeatures, b: SetFeatures) -> Score:
    """0 for equal sets. Raises ValueError for fewer than two videos, and for clips of different length."""
    for name, features in (("a", a), ("b", b)):
        if features.videos.n < 2:
            raise ValueError(
                f"fvd needs at least 2 videos in each set, set {name} has {features.videos.n}; add more."
            )
    counts = a.videos.n, b.videos.n
    if a.frames != b.frames:
        raise ValueError(
            f"fvd compares clips of one length; set a has {a.frames}, set b {b.frames}: set num_frames of"
            " both alike."
        )
    warnings = few_warnings("videos", counts, CLASSES)
    if a.fps != b.fps:
        warnings += (
            f"the sets have different frame rates ({_told(a)} and {_told(b)}), which I3D sees as other"
            " speeds.",
        )
    protocol = Protocol(DESCRIPTION, a.frames, a.fps, RESIZE, VALUES, counts, ddof=1)
    return Score("fvd", frechet_distance(a.videos, b.videos), protocol, "a, b", warnings=warnings)


def _told(features: SetFeatures) -> str:
    return f"{features.fps:g} fps" if features.fps else "fps not told"


METRIC = Metric(
    name="fvd", title="Frechet Video Distance", of=TWO_SETS, better="lower", needs=("i3d",), measure=fvd
)
