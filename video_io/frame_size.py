"""The size at which frames leave a decoder: scaled to square
pixels, fitted, cropped or padded to what a model takes.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..foreign_text import printable

RESIZE_MODES = ("keep ratio", "crop", "pad", "stretch")


@dataclass(frozen=True)
class FrameSize:
    """How a frame is made: scaled to `scaled`, then cut or padded; all are (width, height)."""

    out: tuple[int, int]
    scaled: tuple[int, int]
    offset: tuple[int, int]  # where the scaled picture lies in the output; negative = cut away


def fit_size(
    width: int, height: int, aspect: float, want_width: int, want_height: int, mode: str, multiple: int
) -> FrameSize:
    """The sizes for a decoded picture of width x height pixels that are `aspect` times as wide as high.

    want_width, want_height: 0 = from the other one, both 0 = the picture's own. Every side of the output is a
    multiple of `multiple`. Raises ValueError for an unknown mode and sizes below 1.
    """
    if mode not in RESIZE_MODES:
        raise ValueError(f"resize='{printable(mode)}' is unknown; choose one of {', '.join(RESIZE_MODES)}.")
    if multiple < 1 or want_width < 0 or want_height < 0:
        raise ValueError(
            f"width={want_width} and height={want_height} must be 0 (the video's own) or more,"
            f" multiple={multiple} 1 or more; change them."
        )
    shown = (max(1.0, width * aspect), float(height))  # in square pixels
    ratio = shown[0] / shown[1]
    if not want_width and not want_height:
        request = shown
    elif not want_height:
        request = (want_width, want_width / ratio)
    elif not want_width:
        request = (want_height * ratio, want_height)
    else:
        request = (want_width, want_height)
        if mode == "keep ratio":
            scale = min(want_width / shown[0], want_height / shown[1])
            request = (shown[0] * scale, shown[1] * scale)
    out = tuple(max(multiple, round(side / multiple) * multiple) for side in request)
    if mode in ("keep ratio", "stretch"):
        return FrameSize(out, out, (0, 0))
    pick = max if mode == "crop" else min
    scale = pick(out[0] / shown[0], out[1] / shown[1])
    scaled = tuple(max(1, round(side * scale)) for side in shown)
    if mode == "crop":
        scaled = tuple(max(a, b) for a, b in zip(scaled, out, strict=True))
    else:
        scaled = tuple(min(a, b) for a, b in zip(scaled, out, strict=True))
    return FrameSize(out, scaled, tuple((o - s) // 2 for o, s in zip(out, scaled, strict=True)))


def is_same_shape(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether two sizes (width, height) are of one ratio but for
    rounding: scaled to the smaller one, within a pixel of it.
    """
    small, large = sorted((one, other))
    return all(abs(large[side] * small[1 - side] / large[1 - side] - small[side]) <= 1 for side in (0, 1))
