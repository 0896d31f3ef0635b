"""Context schedules: which frames are denoised together
when a video is longer than the network was trained for.

A window is a list of frame numbers of 0..F-1, in the order in which the network sees them. A schedule returns
the windows of one sampling step of a video that is longer than a window. For every schedule, at every step:
each frame is in at least one window, no window names a frame twice, no two windows are equal, and no window
is longer than context_length. A video that fits into one window gets exactly one.

Source: AnimateDiff's uniform schedule (magic-animate / animatediff-cli `context.py`) for looping, stride and
the ordered halving of the step; the spreading of the starts and the strided windows of the standard schedules
are our own. Names follow ComfyUI core.
"""

from __future__ import annotations

from collections.abc import Callable

from ..foreign_text import printable
from ..memory import check_memory
from . import evolved_windows
from .window_requests import WindowRequest, ordered_halving, window_strides

FEW_NUMBERS = 1_000_000  # frame numbers for which there is always memory
BYTES_OF_A_NUMBER = 84  # a frame number and its weight as Python's objects, and both in the fusion's tables


ContextSchedule = Callable[[WindowRequest], list[list[int]]]


def spread_starts(first: int, last: int, largest_gap: int) -> list[int]:
    """The fewest whole numbers from first to last, both included, evenly, at most largest_gap apart.

    >>> spread_starts(0, 6, 4)
    [0, 3, 6]
    """
    gaps = -(-(last - first) // largest_gap)
    if gaps == 0:
        return [first]
    return [first + (last - first) * k // gaps for k in range(gaps + 1)]


def standard_static(request: WindowRequest) -> list[list[int]]:
    """The same windows at every step, starts spread evenly;
    neighbours share at least context_overlap frames.

    >>> standard_static(WindowRequest(num_frames=7, context_length=4, context_overlap=2))
    [[0, 1, 2, 3], [1, 2, 3, 4], [3, 4, 5, 6]]
    """
    length, last = request.context_length, request.num_frames - request.context_length
    return [list(range(start, start + length)) for start in spread_starts(0, last, request.gap())]


def standard_uniform(request: WindowRequest) -> list[list[int]]:
    """Windows whose seams move from step to step, without wrapping;
    context_stride > 1 adds windows of every 2nd, 4th, ... frame.

    Step 0 has the windows of standard_static. Neighbours of the dense windows share context_overlap or more.
    10 frames, windows of 4, overlap 2, stride 2, at step 1 (half a gap further):

    >>> standard_uniform(WindowRequest(10, 4, 2, 2, step=1))  # doctest: +NORMALIZE_WHITESPACE
    [[0, 1, 2, 3], [1, 2, 3, 4], [2, 3, 4, 5], [4, 5, 6, 7], [6, 7, 8, 9],
     [2, 4, 6, 8]]
    """
    length, shift = request.context_length, ordered_halving(request.step)
    last = request.num_frames - length
    second = min(int(shift * request.gap()), last)
    starts = ([0] if second else []) + spread_starts(second, last, request.gap())
    windows = [list(range(start, start + length)) for start in starts]
    for stride in request.strides()[1:]:
        last = request.num_frames - 1 - (length - 1) * stride
        gap = request.gap(stride)
        first = int(shift * min(gap, last + 1))
        windows += [list(range(s, s + length * stride, stride)) for s in range(first, last + 1, gap)]
    return windows


def looped_uniform(request: WindowRequest) -> list[list[int]]:
    """AnimateDiff's uniform schedule:
    windows that wrap from the last frame to the first and start elsewhere at every step.

    closed_loop carries the overlap over the seam too, for a video that is played in a loop. Strides at which
    a window would meet itself are left out, so windows of a stride may be fewer than in AnimateDiff.
    At step 1 the first window starts in the middle of the video:

    >>> looped_uniform(WindowRequest(10, 4, 2, step=1))
    [[5, 6, 7, 8], [7, 8, 9, 0], [9, 0, 1, 2], [1, 2, 3, 4]]
    """
    total, shift = request.num_frames, ordered_halving(request.step)
    offset = round(total * shift)
    end = total + offset - (0 if request.closed_loop else request.context_overlap)
    windows: dict[tuple[int, ...], None] = {}  # a set in order
    for stride in request.strides():
        for start in range(int(shift * stride) + offset, end, request.gap(stride)):
            windows[tuple((start + k * stride) % total for k in range(request.context_length))] = None
    return list(map(list, windows))


def batched(request: WindowRequest) -> list[list[int]]:
    """The video cut into pieces of nearly equal length without overlap.

    >>> [len(window) for window in batched(WindowRequest(num_frames=17, context_length=16))]
    [8, 9]
    """
    pieces = -(-request.num_frames // request.context_length)
    cuts = [request.num_frames * k // pieces for k in range(pieces + 1)]
    return [list(range(start, end)) for start, end in zip(cuts[:-1], cuts[1:], strict=True)]


def standard_static_exact(request: WindowRequest) -> list[list[int]]:
    """The same windows at every step; neighbours share exactly context_overlap frames, so windows are as
    short as that allows, of nearly equal length, and no frame is computed oftener than needed.

    >>> standard_static_exact(WindowRequest(num_frames=7, context_length=4, context_overlap=2))
    [[0, 1, 2], [1, 2, 3, 4], [3, 4, 5, 6]]
    """
    overlap = request.context_overlap
    pieces = -(-(request.num_frames - overlap) // request.gap())
    cuts = [(request.num_frames - overlap) * k // pieces for k in range(pieces + 1)]
    return [list(range(start, end + overlap)) for start, end in zip(cuts[:-1], cuts[1:], strict=True)]


def first_frame_batched(request: WindowRequest) -> list[list[int]]:
    """As batched, with the first frame in front of every window: Text2Video-Zero's chunks, whose frames all
    read it. Windows of one frame have no place for it.

    >>> first_frame_batched(WindowRequest(num_frames=8, context_length=4))
    [[0, 1, 2], [0, 3, 4], [0, 5, 6, 7]]
    """
    if request.context_length == 1:
        return batched(request)
    others = batched(WindowRequest(request.num_frames - 1, request.context_length - 1))
    return [[0, *(frame + 1 for frame in window)] for window in others]


CONTEXT_SCHEDULES: dict[str, ContextSchedule] = {
    "standard_static": standard_static,
    "standard_uniform": standard_uniform,
    "looped_uniform": looped_uniform,
    "batched": batched,
    "standard_static_exact": standard_static_exact,
    "first_frame_batched": first_frame_batched,
    "standard_static (AnimateDiff-Evolved)": evolved_windows.standard_static,
    "standard_uniform (AnimateDiff-Evolved)": evolved_windows.standard_uniform,
    "looped_uniform (AnimateDiff-Evolved)": evolved_windows.looped_uniform,
    "batched (AnimateDiff-Evolved)": evolved_windows.batched,
}


def is_looped(context_schedule: str) -> bool:
    """Whether windows of a schedule go from the last frame on to the first."""
    return context_schedule.startswith("looped")


def check_context(
    context_schedule: str,
    context_length: int,
    context_overlap: int,
    context_stride: int,
    word: str = "context",
) -> None:
    """Raises ValueError with rule, value and remedy when the settings of a schedule make no sense.

    word: with which the names of the settings begin.
    """
    if context_schedule not in CONTEXT_SCHEDULES:
        listed = ", ".join(CONTEXT_SCHEDULES)
        raise ValueError(
            f"{word}_schedule='{printable(context_schedule)}' must be one of {listed}; choose one of these."
        )
    if context_length < 1:
        raise ValueError(
            f"{word}_length={context_length} must be at least 1 frame; raise it (16 for AnimateDiff)."
        )
    if context_overlap < 0:
        raise ValueError(
            f"{word}_overlap={context_overlap} must be at least 0 frames; raise it (4 is usual)."
        )
    if context_overlap >= context_length:
        raise ValueError(
            f"{word}_overlap={context_overlap} must be smaller than {word}_length={context_length}; "
            "lower the overlap or raise the length."
        )
    if context_stride < 1:
        raise ValueError(
            f"{word}_stride={context_stride} must be at least 1; 1 means neighbouring frames only."
        )


def create_context_windows(
    context_schedule: str,
    num_frames: int,
    context_length: int,
    context_overlap: int = 0,
    context_stride: int = 1,
    closed_loop: bool = False,
    step: int = 0,
    use_on_equal_length: bool = False,
) -> list[list[int]]:
    """The windows of one sampling step of a registered schedule: lists of frame numbers in 0..num_frames-1.

    use_on_equal_length: whether a video of exactly context_length frames goes by the schedule too; a looped
    one then turns it.
    Raises ValueError on a video without frames, an unknown
    schedule, and lengths, overlaps or strides that make no sense.
    """
    check_context(context_schedule, context_length, context_overlap, context_stride)
    if num_frames < 1:
        raise ValueError(f"num_frames={num_frames} must be at least 1; give the video at least one frame.")
    if step < 0:
        raise ValueError(f"step={step} must be at least 0; sampling steps are counted from 0.")
    _check_memory(num_frames, context_length, context_overlap, context_stride)
    if num_frames < context_length + (0 if use_on_equal_length else 1):
        return [list(range(num_frames))]
    return CONTEXT_SCHEDULES[context_schedule](
        WindowRequest(num_frames, context_length, context_overlap, context_stride, closed_loop, step)
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
