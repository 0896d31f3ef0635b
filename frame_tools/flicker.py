"""Evens out brightness, contrast and colour from frame to frame.

Every frame's channels are shifted and scaled to a wanted mean and standard deviation, the transfer of
Reinhard et al. 2001 ("Color Transfer between Images"), here in the frames' own RGB: those of one frame, or
those of the frames around. Letters: F frames, H height, W width, C channels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from ..foreign_text import printable
from ..memory import check_memory
from .batches import check_frames

MATCH_MODES = ("frames around", "reference frame")
SMALLEST_SPREAD = 1e-4  # of a channel's values 0..1: a frame of one colour is only shifted


@dataclass(frozen=True)
class FlickerSettings:
    """What frames are brought to, and how far. Raises ValueError for a match that is not in MATCH_MODES,
    and for a radius or strength out of range.
    """

    match: str = "frames around"
    radius: float = 4.0  # frames, the standard deviation of a Gaussian; for frames around
    strength: float = 1.0  # 0 = unchanged, 1 = fully
    reference_frame: int = 0  # -1 = the last; for reference frame

    def __post_init__(self) -> None:
        if self.match not in MATCH_MODES:
            raise ValueError(
                f"match='{printable(self.match)}' must be one of {', '.join(MATCH_MODES)}; choose one of"
                " these."
            )
        if self.radius <= 0:
            raise ValueError(
                f"radius={self.radius:g} frames must be above 0; 4 evens out flicker and keeps slow changes."
            )
        if not 0 <= self.strength <= 1:
            raise ValueError(f"strength={self.strength:g} must be 0 (off) to 1 (fully); set it in between.")

    def reference(self, num_frames: int) -> int | None:
        """The frame that all are brought to, None = those around each.

        Raises ValueError where it is not there.
        """
        number = self.reference_frame
        if self.match != "reference frame":
            return None
        if not -num_frames <= number < num_frames:
            raise ValueError(
                f"reference_frame={number} is not there; these are {num_frames} frames, numbers 0 to"
                f" {num_frames - 1} or -{num_frames} to -1 from the end."
            )
        return number


def even_colours(
    frames: torch.Tensor, settings: FlickerSettings, progress: Callable[[], None] = lambda: None
) -> torch.Tensor:
    """Frames (F, H, W, C), values 0..1,
    with the colours of the frames around (a Gaussian of `radius` frames) or of one frame.

    A fourth channel (opacity) stays as it is. Raises ValueError for a reference frame that is not there.
    """
    check_frames(frames, "the clip")
    reference = settings.reference(len(frames))
    needed = frames.element_size() * frames.numel() + (4 * 4 * len(frames) ** 2 if reference is None else 0)
    what = f"{len(frames)} frames and their weights for each other"
    check_memory(needed, what, "take fewer or smaller frames")
    means, spreads = colour_statistics(frames)
    if reference is None:
        weights = _gaussian_rows(len(frames), settings.radius)
        wanted_means, wanted_spreads = weights @ means, weights @ spreads
    else:
        wanted_means, wanted_spreads = (
            means[reference].expand_as(means),
            spreads[reference].expand_as(spreads),
        )
    scales = torch.where(spreads > SMALLEST_SPREAD, wanted_spreads / spreads.clamp_min(SMALLEST_SPREAD), 1.0)
    scales = 1 + settings.strength * (scales - 1)
    shifts = means + settings.strength * (wanted_means - means)
    out = frames.clone()
    for i, frame in enumerate(out):
        colours = frame[..., :3]
        colours.copy_(((colours.float() - means[i]) * scales[i] + shifts[i]).clamp(0, 1))
        progress()
    return out


def colour_statistics(frames: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation of each frame's colours, each (F, min(C, 3))."""
    per_frame = [torch.std_mean(frame[..., :3].float(), dim=(0, 1), correction=0) for frame in frames]
    return torch.stack([mean for _, mean in per_frame]), torch.stack([spread for spread, _ in per_frame])


def _gaussian_rows(num_frames: int, radius: float) -> torch.Tensor:
    """(F, F): how much each frame counts for each;
    rows sum to 1, so that at the ends the frames that exist count more.
    """
    places = torch.arange(num_frames, dtype=torch.float32)
    weights = torch.exp(-(((places[:, None] - places) / radius) ** 2) / 2)
    return weights / weights.sum(1, keepdim=True)
