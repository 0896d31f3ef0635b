"""What a context schedule and a fuse method are asked for; see context_schedules.py and context_fusion.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class WindowRequest:
    """What a schedule is asked for: the windows of one sampling step of a video of num_frames frames.

    context_stride: 2 adds windows of every second frame, 3 of every fourth, ... step is counted from 0.
    """

    num_frames: int
    context_length: int
    context_overlap: int = 0
    context_stride: int = 1
    closed_loop: bool = False
    step: int = 0

    def gap(self, stride: int = 1) -> int:
        """From the start of a window of every stride-th frame to that of the next one."""
        return self.context_length * stride - self.context_overlap

    def strides(self) -> list[int]:
        """The frame distances 1, 2, 4, ... (at most context_stride of them)
        at which a window still fits into the video.
        """
        return window_strides(self.num_frames, self.context_length, self.context_stride)


@dataclass(frozen=True)
class FuseRequest:
    """What a fuse method is asked for: the weights of one window of a video of num_frames frames.

    sigma: the noise level of the step, in units of the latents' standard deviation without noise.
    """

    window: Sequence[int]
    num_frames: int
    context_overlap: int = 0
    sigma: float = 0.0


def ordered_halving(step: int) -> float:
    """The binary digits of step mirrored at the point, in [0, 1): shifts of successive steps are far apart.

    >>> [ordered_halving(step) for step in range(6)]
    [0.0, 0.5, 0.25, 0.75, 0.125, 0.625]
    """
    mirrored = 0
    bits = step.bit_length()
    for bit in range(bits):
        mirrored |= ((step >> bit) & 1) << (bits - 1 - bit)
    return mirrored / (1 << bits)


def window_strides(num_frames: int, context_length: int, context_stride: int) -> list[int]:
    """The frame distances 1, 2, 4, ...
    (at most context_stride of them) at which a window still fits into the video.
    """
    strides = [1]
    while (
        len(strides) < context_stride
        and context_length > 1
        and (context_length - 1) * strides[-1] * 2 < num_frames
    ):
        strides.append(strides[-1] * 2)
    return strides
