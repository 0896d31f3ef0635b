"""Peak signal-to-noise ratio of a clip against its reference, in dB, for values 0..1.

Of a clip it is that of the mean squared error of all its frames, as FFmpeg's filter has it: a mean of the
frames' ratios would be infinite as soon as one frame is equal.
"""

from __future__ import annotations

import math

import torch

from .metric import PAIR, Clip, Metric, Score
from .pairs import checked_pair


def psnr_of_error(error: float) -> float:
    """dB of a mean squared error of values 0..1; infinite for 0."""
    return math.inf if error == 0 else -10 * math.log10(error)


def squared_error(one: torch.Tensor, other: torch.Tensor) -> float:
    """Mean squared error of two frames (H, W, C), in float64."""
    return float(((one.double() - other.double()) ** 2).mean())


def psnr(clip: Clip) -> Score:
    """Raises ValueError for clips of different sizes or lengths."""
    errors = []
    for frame, reference in checked_pair(clip, "psnr"):
        errors.append(squared_error(frame, reference))
        clip.progress()
    value = psnr_of_error(sum(errors) / len(errors))
    protocol = clip.protocol(values="0..1", rule="of the mean squared error of all frames")
    return Score("psnr", value, protocol, per_frame=tuple(map(psnr_of_error, errors)))


METRIC = Metric(
    name="psnr",
    title="Peak signal-to-noise ratio (dB)",
    of=PAIR,
    better="higher",
    needs=("reference",),
    measure=psnr,
)
