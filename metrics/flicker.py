"""Temporal flickering: 1 minus the mean absolute difference of each frame to the one before.

Source: Huang et al. 2023 (VBench, arXiv 2311.17982), who take videos of still scenes for it.
"""

from __future__ import annotations

from ..frame_tools.plots import frame_differences
from .metric import CLIP, Clip, Metric, Score, curve_score


def flicker(clip: Clip) -> Score:
    """0..1, 1 = no frame differs. Movement lowers it as flicker does. Raises ValueError for one frame."""
    values = [1 - difference / 255 for difference in frame_differences(clip.frames, clip.progress)]
    rule = "1 - mean absolute difference; movement counts too"
    return curve_score("flicker", values, clip.protocol(values="0..1", rule=rule), first=1)


METRIC = Metric(
    name="flicker", title="Temporal flickering", of=CLIP, better="higher", least_frames=2, measure=flicker
)
