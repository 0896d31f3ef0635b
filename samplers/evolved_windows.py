"""Context windows as AnimateDiff-Evolved has them, so that its seeds come back.

Source: github.com/Kosinkadink/ComfyUI-AnimateDiff-Evolved (measured; the tables of the tests are its own).
What goes wrong there (frames past the end, in no window, or twice in one) raises ValueError.
"""

from __future__ import annotations

import math

from ..foreign_text import printable
from .window_requests import FuseRequest, WindowRequest, ordered_halving

SMALLEST_WEIGHT = 0.001
SMALLEST_RAMP = 1e-37
HIGH_SIGMA = 4.0
"""From this noise level on the weights that depend on it no longer change."""


def standard_static(request: WindowRequest) -> list[list[int]]:
    """A window every context_length - context_overlap frames; the last is moved back to the end of the video.

    >>> standard_static(WindowRequest(num_frames=7, context_length=4, context_overlap=2))
    [[0, 1, 2, 3], [2, 3, 4, 5], [3, 4, 5, 6]]
    """
    last = request.num_frames - request.context_length
    starts = [*range(0, last, request.gap()), last]
    return [list(range(start, start + request.context_length)) for start in starts]


def looped_uniform(request: WindowRequest) -> list[list[int]]:
    """Windows of every stride that wrap from the last frame to the first."""
    windows = [list(window) for window in _wrapping(request)]
    return _checked(windows, request, "looped_uniform")


def standard_uniform(request: WindowRequest) -> list[list[int]]:
    """The windows of looped_uniform, those that wrap moved to the end of the video. Where the window behind
    one of these does not hold the frame at which it wrapped, a window that starts there is put in.
    """
    pending, windows = [list(window) for window in _wrapping(request)], []
    while pending:
        window = pending.pop(0)
        wrap = next((b for a, b in zip(window, window[1:], strict=False) if b < a), None)
        if wrap is not None:
            window = _moved_to_the_end(window, request.num_frames)
            # The window behind the last is the first, as it has become.
            following = pending[0] if pending else windows[0]
            if wrap not in following:
                pending.insert(0, list(range(wrap, wrap + request.context_length)))
        windows.append(window)
    unique = [list(window) for window in dict.fromkeys(map(tuple, windows))]
    return _checked(unique, request, "standard_uniform")


def batched(request: WindowRequest) -> list[list[int]]:
    """Pieces of context_length frames without overlap, and what is left.

    >>> [len(window) for window in batched(WindowRequest(num_frames=20, context_length=8))]
    [8, 8, 4]
    """
    length, total = request.context_length, request.num_frames
    return [list(range(start, min(start + length, total))) for start in range(0, total, length)]


def _wrapping(request: WindowRequest) -> list[list[int]]:
    total, length = request.num_frames, request.context_length
    shift = ordered_halving(request.step)
    offset = round(total * shift)
    end = total + offset - (0 if request.closed_loop else request.context_overlap)
    most = math.ceil(math.log2(total / length)) + 1
    return [
        [(start + k * stride) % total for k in range(length)]
        for stride in (1 << n for n in range(min(request.context_stride, most)))
        for start in range(int(shift * stride) + offset, end, request.gap(stride))
    ]


def _moved_to_the_end(window: list[int], total: int) -> list[int]:
    from_first = [(frame - window[0]) % total for frame in window]
    return [frame + total - 1 - from_first[-1] for frame in from_first]


def _checked(windows: list[list[int]], request: WindowRequest, name: str) -> list[list[int]]:
    frames = {frame for window in windows for frame in window}
    twice = any(len(set(window)) < len(window) for window in windows)
    if twice or frames != set(range(request.num_frames)):
        trouble = "name a frame twice" if twice else "name frames past the end or leave frames out"
        raise ValueError(
            f"{name} (AnimateDiff-Evolved) with context_stride={request.context_stride} makes windows that"
            f" {trouble} (num_frames={request.num_frames}, context_length={request.context_length},"
            f" context_overlap={request.context_overlap}, step {request.step}); set context_stride to 1 or"
            f" take {name}."
        )
    return windows


def overlap_linear(request: FuseRequest) -> list[float]:
    """Weight 1, with a ramp from 0 to 1 over context_overlap frames at each end that is not an end of the
    video: the outermost frames of a window hardly count.
    """
    length, overlap = len(request.window), request.context_overlap
    if overlap < 1:
        raise ValueError(
            "fuse_method='overlap-linear (AnimateDiff-Evolved)' needs a context_overlap of at least 1, it is"
            " 0; raise it or take overlap-linear."
        )
    ramp = [max(SMALLEST_RAMP, place / (overlap - 1)) if place else SMALLEST_RAMP for place in range(overlap)]
    weights = [1.0] * length
    if min(request.window) > 0:
        weights[:overlap] = ramp[:length]
    if max(request.window) < request.num_frames - 1:
        weights[-overlap:] = ramp[::-1][-length:]
    return weights


def relative(request: FuseRequest) -> list[float]:
    """A triangle over the frame numbers of the window, at least 0.01."""
    first, last = request.window[0], request.window[-1]
    if last < first:
        raise ValueError(
            "fuse_method='relative (AnimateDiff-Evolved)' is for windows that do not wrap; take another"
            " context_schedule, or relative."
        )
    half = (last - first + 0.01) / 2
    return [max(0.01, 1 - abs(frame - (first + last) / 2) / half) for frame in request.window]


def delayed_reverse_sawtooth(request: FuseRequest) -> list[float]:
    """0.01 before the middle of the window, then from the most down to 1."""
    half = _half_of_even(request, "delayed reverse sawtooth")
    return [0.01] * (half - 1) + [float(half)] + [float(place) for place in range(half, 0, -1)]


def pyramid_sigma(request: FuseRequest) -> list[float]:
    """A pyramid at high noise; towards low noise only the two middle frames are left."""
    return _pyramid(request, 1 - _level(request), "pyramid-sigma")


def pyramid_sigma_inverse(request: FuseRequest) -> list[float]:
    """Only the two middle frames at high noise; a pyramid towards low noise."""
    return _pyramid(request, _level(request), "pyramid-sigma inverse")


def gauss_sigma(request: FuseRequest) -> list[float]:
    """A bell, nearly flat at high noise, narrow at low noise."""
    return _bell(request, _level(request))


def gauss_sigma_inverse(request: FuseRequest) -> list[float]:
    """A bell, narrow at high noise, nearly flat at low noise."""
    return _bell(request, 1 - _level(request))


def _level(request: FuseRequest) -> float:
    return min(HIGH_SIGMA, request.sigma) / HIGH_SIGMA


def _pyramid(request: FuseRequest, sharpness: float, name: str) -> list[float]:
    half = _half_of_even(request, name)
    rise = [max(SMALLEST_WEIGHT, (1 - sharpness) * place - sharpness * half) for place in range(1, half)]
    return [*rise, float(half), float(half), *rise[::-1]]


def _bell(request: FuseRequest, width: float) -> list[float]:
    length = len(request.window)
    deviation = 1 + 8 * width
    heights = [math.exp(-(((place - (length - 1) / 2) / deviation) ** 2) / 2) for place in range(length)]
    scale = (length + 1) // 2 / math.hypot(*heights)
    return [height * scale for height in heights]


def _half_of_even(request: FuseRequest, name: str) -> int:
    length = len(request.window)
    if length % 2:
        raise ValueError(
            f"fuse_method='{printable(name)} (AnimateDiff-Evolved)' is made for windows of even length, one"
            f" has {length} frames; change context_length, or take pyramid."
        )
    return length // 2
