"""Frechet Inception Distance: how far the frames of two sets are apart, in Inception's features.

Source: Heusel et al. 2017 (arXiv 1706.08500), with the TensorFlow network of 2015-12-05 as torch-fidelity and
pytorch-fid have it.
"""

from __future__ import annotations

from .frechet import few_warnings, frechet_distance
from .metric import TWO_SETS, Metric, Protocol, Score, SetFeatures
from .networks.inception import DESCRIPTION, FEATURES, RESIZE, VALUES


def fid(a: SetFeatures, b: SetFeatures) -> Score:
    """0 for equal sets. Raises ValueError for fewer than two frames."""
    counts = a.images.n, b.images.n
    protocol = Protocol(DESCRIPTION, a.frames, a.fps, RESIZE, VALUES, counts, ddof=1)
    value = frechet_distance(a.images, b.images)
    return Score("fid", value, protocol, "a, b", warnings=few_warnings("frames", counts, FEATURES))


METRIC = Metric(
    name="fid",
    title="Frechet Inception Distance",
    of=TWO_SETS,
    better="lower",
    needs=("inception",),
    measure=fid,
)
