"""Clips beside each other, and a clip as one sheet of small frames.

Frames are IMAGE (F, H, W, C) with values 0..1, or MASK (F,
H, W); of more than three channels the first three are shown.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from PIL import ImageDraw

from ..foreign_text import printable
from ..memory import check_memory
from .batches import check_frames
from .labels import label_bar, shortened, text_width, to_image, to_tensor, write
from .resizing import resized
from .selection import evenly_spread

LENGTHS = ("longest", "shortest")
LARGEST_SIDE = 32768  # pixels of a picture's side; H.264, PNG viewers and browsers end earlier


@dataclass(frozen=True)
class GridSettings:
    """How clips lie beside each other. Raises ValueError for a length that is not in LENGTHS."""

    columns: int = 0  # 0 = up to three clips side by side, more in a square
    length: str = "longest"  # frames of the longest clip (shorter ones stay at their last) or of the shortest
    label_height: int = 24  # pixels
    gap: int = 4  # pixels

    def __post_init__(self) -> None:
        if self.length not in LENGTHS:
            raise ValueError(
                f"length='{printable(self.length)}' must be one of {', '.join(LENGTHS)}; choose one of these."
            )

    def num_frames(self, clips: Iterable[torch.Tensor]) -> int:
        """How many frames the result has; 0 of no clips."""
        return (max if self.length == "longest" else min)((len(clip) for clip in clips), default=0)


@dataclass(frozen=True)
class SheetSettings:
    """What of a clip is shown on one sheet, and how large."""

    count: int = 0  # frames, evenly spread; 0 = all
    columns: int = 0  # 0 = so that the sheet is about 4:3
    cell_width: int = 256  # pixels, but never wider than the frames
    fps: float = 0.0  # writes the time in seconds beside the number; 0 = only the number
    numbers: bool = True
    gap: int = 4  # pixels


def compare_clips(
    clips: list[torch.Tensor],
    labels: list[str],
    settings: GridSettings | None = None,
    progress: Callable[[], None] = lambda: None,
) -> torch.Tensor:
    """Clips in a grid with a bar of text above each:
    (F, H, W, 3), sides even so that every video codec takes them.

    Cells have the first clip's size; others are fitted into it with their ratio kept.
    Raises ValueError for no clips, more labels than clips and an image that is too large.
    """
    settings = settings or GridSettings()
    _check_clips(clips, labels)
    clips = [rgb(clip) for clip in clips]
    square = len(clips) if len(clips) <= 3 else math.ceil(math.sqrt(len(clips)))
    columns = min(settings.columns or square, len(clips))
    height, width = clips[0].shape[1:3]
    bar, gap = settings.label_height if any(labels) else 0, settings.gap
    rows = -(-len(clips) // columns)
    size = (rows * (height + bar + gap) - gap, columns * (width + gap) - gap)
    out = _canvas(settings.num_frames(clips), size)
    corners = [(i // columns * (height + bar + gap), i % columns * (width + gap)) for i in range(len(clips))]
    for label, (top, left) in zip(labels if bar else [], corners, strict=False):
        out[:, top : top + bar, left : left + width] = label_bar(label, width, bar)
    for i, frame in enumerate(out):
        for clip, (top, left) in zip(clips, corners, strict=True):
            frame[top + bar : top + bar + height, left : left + width] = fitted(
                clip[min(i, len(clip) - 1)], height, width
            )
        progress()
    return out


def contact_sheet(
    frames: torch.Tensor, settings: SheetSettings | None = None, progress: Callable[[], None] = lambda: None
) -> torch.Tensor:
    """Evenly spread frames on one sheet (1, H, W, 3), each with its number and, with fps, its time.

    Raises ValueError for no frames, frames without pixels, and a sheet that is too large.
    """
    settings = settings or SheetSettings()
    check_frames(frames, "the clip")
    picked = evenly_spread(len(frames), settings.count)
    frame_height, frame_width = frames.shape[1:3]
    width = min(settings.cell_width, frame_width)
    height = max(1, round(frame_height * width / frame_width))
    columns = min(settings.columns or _squarest(len(picked), width / height), len(picked))
    rows, gap, fps = -(-len(picked) // columns), settings.gap, settings.fps
    (sheet,) = _canvas(1, (rows * (height + gap) - gap, columns * (width + gap) - gap))
    for i, number in enumerate(picked):
        cell = fitted(rgb(frames[number : number + 1])[0], height, width)
        if settings.numbers:
            cell = with_caption(cell, f"{number}  {number / fps:.2f} s" if fps else f"{number}")
        top, left = i // columns * (height + gap), i % columns * (width + gap)
        sheet[top : top + height, left : left + width] = cell
        progress()
    return sheet[None]


def rgb(frames: torch.Tensor) -> torch.Tensor:
    """IMAGE or MASK as (F, H, W, 3)."""
    if frames.ndim < 4 or frames.shape[-1] == 1:
        frames = frames.reshape(-1, *frames.shape[-2:]) if frames.ndim < 4 else frames[..., 0]
        return frames[..., None].expand(-1, -1, -1, 3)
    return frames[..., :3]


def fitted(frame: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """A frame (h, w, 3) scaled into (height, width, 3) with its ratio kept;
    black borders where it does not fill that.
    """
    h, w = frame.shape[:2]
    frame = frame.float().cpu()
    if (h, w) == (height, width):
        return frame
    scale = min(height / h, width / w)
    size = max(1, round(h * scale)), max(1, round(w * scale))
    out = torch.zeros(height, width, 3)
    top, left = (height - size[0]) // 2, (width - size[1]) // 2
    out[top : top + size[0], left : left + size[1]] = resized(frame, *size)
    return out


def with_caption(frame: torch.Tensor, text: str) -> torch.Tensor:
    """The frame (H, W, 3) with a line of outlined text in its lower left corner;
    what does not fit is left out.
    """
    height, width = frame.shape[:2]
    size = max(8, min(18, height // 6))
    text = shortened(text, size, width - 4)
    if text_width(text, size) > width:
        return frame
    image = to_image(frame)
    write(ImageDraw.Draw(image), (3, height - 4), text, size, outline=1)
    return to_tensor(image)


def _squarest(count: int, ratio: float) -> int:
    """Columns of a sheet of `count` cells whose width is `ratio` times their height,
    so that the sheet is about 4:3.
    """
    return max(1, min(count, round(math.sqrt(count * 4 / 3 / ratio))))


def _canvas(num_frames: int, size: tuple[int, int]) -> torch.Tensor:
    height, width = (side + side % 2 for side in size)
    if max(height, width) > LARGEST_SIDE:
        raise ValueError(
            f"the picture would have {width}x{height} pixels, at most {LARGEST_SIDE} a side are made; take"
            " fewer or smaller frames."
        )
    what = f"{num_frames} frames" if num_frames > 1 else "a picture"
    what += f" of {width}x{height}" + " would" * (num_frames == 1)
    check_memory(num_frames * height * width * 12, what, "take fewer or smaller frames")
    return torch.zeros(num_frames, height, width, 3)


def _check_clips(clips: list[torch.Tensor], labels: list[str]) -> None:
    if not clips:
        raise ValueError("there is nothing to compare; wire at least one clip.")
    for i, clip in enumerate(clips, 1):
        check_frames(clip, f"clip {i}")
    if len(labels) > len(clips):
        raise ValueError(
            f"{len(labels)} labels for {len(clips)} clips; write one line for each clip, in their order."
        )
