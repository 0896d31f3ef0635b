"""Fusion of context windows:
the results of overlapping windows become one result by a weighted mean for each frame.

A fuse method gives each frame of a window its weight (> 0) by its place in the window; frames that a window
only looks at (anchors) have weight 0 there. The mean is kept as a running mean, so a frame that only one
window covers is that window's result bit for bit, and equal results stay equal bit for bit.

Source: the weights follow AnimateDiff-Evolved / ComfyUI core; "pyramid" is the
weighting of FreeNoise (Qiu et al. 2023, arXiv 2310.15169, section 3.2). "relative"
there is a running mean with triangular weights, which is this same mean.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from ..foreign_text import printable
from . import evolved_windows
from .window_requests import FuseRequest

FuseMethod = Callable[[FuseRequest], list[float]]

SMALLEST_RELATIVE_WEIGHT = 0.01


def flat(request: FuseRequest) -> list[float]:
    """The same weight for every frame of the window."""
    return [1.0] * len(request.window)


def pyramid(request: FuseRequest) -> list[float]:
    """Weights 1, 2, 3, ... up to the middle of the window and down again."""
    length = len(request.window)
    return [float(min(place + 1, length - place)) for place in range(length)]


def overlap_linear(request: FuseRequest) -> list[float]:
    """Weight 1, with a linear ramp over context_overlap frames at each end that is not an end of the video.

    Where two windows share exactly context_overlap frames, their weights there add up to 1.

    >>> [round(weight, 2) for weight in overlap_linear(FuseRequest([2, 3, 4, 5, 6], 10, 2))]
    [0.33, 0.67, 1.0, 0.67, 0.33]
    """
    length = len(request.window)
    ramp = request.context_overlap + 1
    weights = []
    for place in range(length):
        rise = (place + 1) / ramp if request.window[0] != 0 else 1.0
        fall = (length - place) / ramp if request.window[-1] != request.num_frames - 1 else 1.0
        weights.append(min(rise, fall, 1.0))
    return weights


def relative(request: FuseRequest) -> list[float]:
    """A triangle from 1 in the middle of the window to 0.01 at its ends:
    the middles decide, ends hardly count.

    Measured by the place in the window, not by the frame number, so it also serves windows that wrap.
    """
    length = len(request.window)
    half = (length - 1) / 2
    return [max(SMALLEST_RELATIVE_WEIGHT, 1 - abs(place - half) / max(half, 1)) for place in range(length)]


FUSE_METHODS: dict[str, FuseMethod] = {
    "pyramid": pyramid,
    "relative": relative,
    "flat": flat,
    "overlap-linear": overlap_linear,
    "relative (AnimateDiff-Evolved)": evolved_windows.relative,
    "overlap-linear (AnimateDiff-Evolved)": evolved_windows.overlap_linear,
    "delayed reverse sawtooth (AnimateDiff-Evolved)": evolved_windows.delayed_reverse_sawtooth,
    "pyramid-sigma (AnimateDiff-Evolved)": evolved_windows.pyramid_sigma,
    "pyramid-sigma inverse (AnimateDiff-Evolved)": evolved_windows.pyramid_sigma_inverse,
    "gauss-sigma (AnimateDiff-Evolved)": evolved_windows.gauss_sigma,
    "gauss-sigma inverse (AnimateDiff-Evolved)": evolved_windows.gauss_sigma_inverse,
}


def fuse_weights(
    fuse_method: str, window: Sequence[int], num_frames: int, context_overlap: int, sigma: float = 0.0
) -> list[float]:
    """One positive weight for each frame of the window, by a registered fuse method;
    num_frames is the whole video's, sigma the noise level of the step.

    Raises ValueError on an unknown method, and on windows that a method cannot weigh.
    """
    if fuse_method not in FUSE_METHODS:
        raise ValueError(
            f"fuse_method='{printable(fuse_method)}' must be one of {', '.join(FUSE_METHODS)}; choose one of "
            "these."
        )
    return FUSE_METHODS[fuse_method](FuseRequest(window, num_frames, context_overlap, sigma))


class FusionPlan:
    """Where each window goes and how much it counts:
    tables made once for a list of windows, used for many tensors.

    windows: lists of indices along the frame axis, in the order in which they will be added. weights: one
    number per index, 0 where a window's result is dropped. A share is what a window's frame moves the mean
    so far towards itself:

    >>> FusionPlan([[0, 1, 2], [2, 3, 4]], [[1, 1, 1], [1, 1, 1]], 5).shares
    [tensor([1., 1., 1.]), tensor([0.5000, 1.0000, 1.0000])]
    """

    def __init__(
        self,
        windows: Sequence[Sequence[int]],
        weights: Sequence[Sequence[float]],
        total_frames: int,
        device=None,
    ):
        total = [0.0] * total_frames
        self.indices: list[torch.Tensor] = []
        self.shares: list[torch.Tensor] = []
        for window, window_weights in zip(windows, weights, strict=True):
            shares = []
            for frame, weight in zip(window, window_weights, strict=True):
                total[frame] += weight
                shares.append(weight / total[frame] if weight else 0.0)
            self.indices.append(torch.tensor(window, dtype=torch.long, device=device))
            self.shares.append(torch.tensor(shares, dtype=torch.float32, device=device))
        missing = [frame for frame, weight in enumerate(total) if not weight > 0]
        if missing:
            raise ValueError(
                f"every frame must be in a window with a weight above 0; frames {missing} are not; add"
                " windows for them."
            )


class WindowFusion:
    """Adds up the results of windows, (..., frames of the window,
    ...) with the frames on one axis, to a result of all frames.

    Windows are added in the order of the plan. full gives shape,
    dtype and device of the result; its values are not used.
    """

    def __init__(self, plan: FusionPlan, full: torch.Tensor, frame_axis: int):
        self.plan = plan
        self.frame_axis = frame_axis
        self.mean = torch.zeros_like(full)
        self.added = 0

    def add(self, result: torch.Tensor) -> None:
        """Takes in the result of the next window of the plan; its frame axis is as long as that window."""
        index = self.plan.indices[self.added]
        share = self.plan.shares[self.added].to(result.dtype)
        share = share.view([-1] + [1] * (result.ndim - 1 - self.frame_axis))
        so_far = self.mean.index_select(self.frame_axis, index)
        self.mean.index_copy_(self.frame_axis, index, torch.lerp(so_far, result, share))
        self.added += 1

    def result(self) -> torch.Tensor:
        """The weighted mean of all windows.
        Raises ValueError when windows of the plan have not been added.
        """
        if self.added != len(self.plan.indices):
            raise ValueError(
                f"all {len(self.plan.indices)} windows must be added before the result is read; {self.added}"
                " are."
            )
        return self.mean
