"""Context schedules: which frames are denoised together
when a video is longer than the network was trained for.

A window is a list of frame numbers of 0..F-1, in the order in which the network sees them. A schedule returns
the windows of one sampling step. For every schedule, at every step: each frame is in at least one window, no
window names a frame twice, no two windows are equal, no window is longer than context_length, and a video
that fits into one window gets exactly one.

Source: AnimateDiff's uniform schedule (magic-animate / animatediff-cli `context.py`) for looping, stride and
the ordered halving of the step; the spreading of the starts and the strided windows of the standard schedules
are our own. Names follow ComfyUI core.
"""

from __future__ import annotations

from collections.abc import Callable

from ..foreign_text import printable
from ..memory import check_memory

FEW_NUMBERS = 1_000_000  # frame numbers for which there is always memory
BYTES_OF_A_NUMBER = 84  # a frame number and its weight as Python's objects, and both in the fusion's tables

ContextSchedule = Callable[[int, int, int, int, bool, int], list[list[int]]]


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


def spread_starts(first: int, last: int, largest_gap: int) -> list[int]:
    """The fewest whole numbers from first to last, both included, evenly, at most largest_gap apart.

    >>> spread_starts(0, 6, 4)
    [0, 3, 6]
    """
    gaps = -(-(last - first) // largest_gap)
    if gaps == 0:
        return [first]
    return [first + (last - first) * k // gaps for k in range(gaps + 1)]


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


def standard_static(
    num_frames: int,
    context_length: int,
    context_overlap: int,
    context_stride: int,
    closed_loop: bool,
    step: int,
) -> list[list[int]]:
    """The same windows at every step, starts spread evenly;
    neighbours share at least context_overlap frames.
    """
    starts = spread_starts(0, max(num_frames - context_length, 0), context_length - context_overlap)
    return [list(range(start, min(start + context_length, num_frames))) for start in starts]


def standard_uniform(
    num_frames: int,
    context_length: int,
    context_overlap: int,
    context_stride: int,
    closed_loop: bool,
    step: int,
) -> list[list[int]]:
    """Windows whose seams move from step to step, without wrapping;
    context_stride > 1 adds windows of every 2nd, 4th, ... frame.

    Step 0 has the windows of standard_static. Neighbours of the dense windows share context_overlap or more.
    10 frames, windows of 4, overlap 2, stride 2, at step 1 (half a gap further):

    >>> standard_uniform(10, 4, 2, 2, False, 1)  # doctest: +NORMALIZE_WHITESPACE
    [[0, 1, 2, 3], [1, 2, 3, 4], [2, 3, 4, 5], [4, 5, 6, 7], [6, 7, 8, 9],
     [2, 4, 6, 8]]
    """
    if num_frames <= context_length:
        return [list(range(num_frames))]
    shift = ordered_halving(step)
    gap = context_length - context_overlap
    last = num_frames - context_length
    second = min(int(shift * gap), last)
    starts = ([0] if second else []) + spread_starts(second, last, gap)
    windows = [list(range(start, start + context_length)) for start in starts]
    for stride in window_strides(num_frames, context_length, context_stride)[1:]:
        last = num_frames - 1 - (context_length - 1) * stride
        gap = context_length * stride - context_overlap
        first = int(shift * min(gap, last + 1))
        windows += [list(range(s, s + context_length * stride, stride)) for s in range(first, last + 1, gap)]
    return windows


def looped_uniform(
    num_frames: int,
    context_length: int,
    context_overlap: int,
    context_stride: int,
    closed_loop: bool,
    step: int,
) -> list[list[int]]:
    """AnimateDiff's uniform schedule:
    windows that wrap from the last frame to the first and start elsewhere at every step.

    closed_loop carries the overlap over the seam too, for a video that is played in a loop. Strides at which
    a window would meet itself are left out, so windows of a stride may be fewer than in AnimateDiff.
    At step 1 the first window starts in the middle of the video:

    >>> looped_uniform(10, 4, 2, 1, False, 1)
    [[5, 6, 7, 8], [7, 8, 9, 0], [9, 0, 1, 2], [1, 2, 3, 4]]
    """
    if num_frames <= context_length:
        return [list(range(num_frames))]
    shift = ordered_halving(step)
    offset = round(num_frames * shift)
    end = num_frames + offset - (0 if closed_loop else context_overlap)
    windows: dict[tuple[int, ...], None] = {}  # a set in order
    for stride in window_strides(num_frames, context_length, context_stride):
        for start in range(int(shift * stride) + offset, end, context_length * stride - context_overlap):
            windows[tuple((start + k * stride) % num_frames for k in range(context_length))] = None
    return list(map(list, windows))


def batched(
    num_frames: int,
    context_length: int,
    context_overlap: int,
    context_stride: int,
    closed_loop: bool,
    step: int,
) -> list[list[int]]:
    """The video cut into pieces of nearly equal length
    without overlap (17 frames by 16 are 8 and 9, never 16 and 1).
    """
    pieces = -(-num_frames // context_length)
    cuts = [num_frames * k // pieces for k in range(pieces + 1)]
    return [list(range(start, end)) for start, end in zip(cuts[:-1], cuts[1:], strict=True)]


CONTEXT_SCHEDULES: dict[str, ContextSchedule] = {
    "standard_static": standard_static,
    "standard_uniform": standard_uniform,
    "looped_uniform": looped_uniform,
    "batched": batched,
}


def check_context(
    context_schedule: str, context_length: int, context_overlap: int, context_stride: int
) -> None:
    """Raises ValueError with rule, value and remedy when the settings of a schedule make no sense."""
    if context_schedule not in CONTEXT_SCHEDULES:
        listed = ", ".join(CONTEXT_SCHEDULES)
        raise ValueError(
            f"context_schedule='{printable(context_schedule)}' must be one of {listed}; choose one of these."
        )
    if context_length < 1:
        raise ValueError(
            f"context_length={context_length} must be at least 1 frame; raise it (16 for AnimateDiff)."
        )
    if context_overlap < 0:
        raise ValueError(
            f"context_overlap={context_overlap} must be at least 0 frames; raise it (4 is usual)."
        )
    if context_overlap >= context_length:
        raise ValueError(
            f"context_overlap={context_overlap} must be smaller than context_length={context_length}; "
            "lower the overlap or raise the length."
        )
    if context_stride < 1:
        raise ValueError(
            f"context_stride={context_stride} must be at least 1; 1 means neighbouring frames only."
        )


def create_context_windows(
    context_schedule: str,
    num_frames: int,
    context_length: int,
    context_overlap: int = 0,
    context_stride: int = 1,
    closed_loop: bool = False,
    step: int = 0,
) -> list[list[int]]:
    """The windows of one sampling step of a registered schedule: lists of frame numbers in 0..num_frames-1.

    Raises ValueError on a video without frames, an unknown
    schedule, and lengths, overlaps or strides that make no sense.
    """
    check_context(context_schedule, context_length, context_overlap, context_stride)
    if num_frames < 1:
        raise ValueError(f"num_frames={num_frames} must be at least 1; give the video at least one frame.")
    if step < 0:
        raise ValueError(f"step={step} must be at least 0; sampling steps are counted from 0.")
    _check_memory(num_frames, context_length, context_overlap, context_stride)
    return CONTEXT_SCHEDULES[context_schedule](
        num_frames, context_length, context_overlap, context_stride, closed_loop, step
    )


def _check_memory(num_frames: int, context_length: int, context_overlap: int, context_stride: int) -> None:
    """Raises ValueError where the windows and their weights do not fit;
    at most as many as with all strides.
    """
    if num_frames <= context_length:
        return
    strides = window_strides(num_frames, context_length, context_stride)
    count = sum(num_frames // (context_length * stride - context_overlap) + 2 for stride in strides)
    if count * context_length > FEW_NUMBERS:
        what = f"{count} context windows of {context_length} frames"
        remedy = "lower context_overlap or context_stride, or take fewer frames"
        check_memory(count * context_length * BYTES_OF_A_NUMBER, what, remedy)
