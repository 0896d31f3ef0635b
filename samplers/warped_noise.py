"""Noise that moves with a video: where a thing goes, its noise goes with it.

Every frame is exactly as random as before: no place of a frame has the noise of another place of it, and
nothing is mixed, so its values stay independent and of variance 1. A field says where each place lies in the
first frame. Places of other frames that lie in the same cell there get the same noise: the nearest one of a
frame that of the cell, the next (where the picture grows) a second one, and so on. What comes into sight has
noise of its own, and keeps it.

Source: ours; that noise should be moved by whole values is Text2Video-Zero's (Khachatryan et al. 2023, arXiv
2303.13439, section 4.1). Chang et al. 2024 ("How I Warped Your Noise") move finer noise along optical flow.

Letters: V videos, F frames, C channels, H height, W width.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

from ..memory import check_memory
from ..shapes import fold_frames, unfold_frames, videos_in_batch
from .text2video_zero.motion_fields import MotionField

_REACH = 2**20
"""Cells to each side of the first frame's corner that are told apart."""


class WarpedNoise:
    """Another NOISE moved along a field; an object of ComfyUI's NOISE type.

    frames_per_video: F where a batch holds several videos, 0 = all are one; each is moved alike and has noise
    of its own. Raises ValueError for a number below 0.
    """

    def __init__(self, noise, field: MotionField, frames_per_video: int = 0):
        if frames_per_video < 0:
            raise ValueError(
                f"frames_per_video={frames_per_video} must be at least 0; 0 makes all frames one video."
            )
        self.noise, self.field, self.frames_per_video = noise, field, frames_per_video
        self.seed = noise.seed

    def generate_noise(self, latent: Mapping) -> torch.Tensor:
        """Noise of the shape of latent["samples"], (V*F, C, H, W) or (V, C, F, H, W); with
        latent["batch_index"], that of the places of a longer video that it names.

        Raises ValueError for latents of other dimensions, for parts of videos, and for more frames than the
        field has.
        """
        samples, places = latent["samples"], latent.get("batch_index")
        if getattr(samples, "is_nested", False) or samples.ndim not in (4, 5):
            raise ValueError(
                "Warped Noise needs video latents of 4 or 5 dimensions alone, without sound; wire the NOISE"
                " without it."
            )
        if samples.ndim == 5:
            drawn = self.noise.generate_noise(latent)
            return unfold_frames(self._moved(fold_frames(drawn), samples.shape[2]), samples.shape[2])
        if places is None:
            frames = self.frames_per_video or len(samples)
            videos_in_batch(len(samples), frames)
            return self._moved(self.noise.generate_noise(latent), frames)
        frames = self.frames_per_video or max(places) + 1
        total = -(-(max(places) + 1) // frames) * frames
        check_memory(2 * total * samples[0].numel() * 4, f"the noise of {total} frames", "take fewer frames")
        whole = {**latent, "samples": samples[:1].expand(total, *samples.shape[1:])}
        del whole["batch_index"]
        return self._moved(self.noise.generate_noise(whole), frames)[places]

    def _moved(self, noise: torch.Tensor, num_frames: int) -> torch.Tensor:
        """noise: (V*F, C, H, W)."""
        needed = 2 * noise.numel() * noise.element_size() + 6 * 8 * num_frames * noise[0, 0].numel()
        check_memory(needed, f"the noise of {len(noise)} frames", "take fewer or smaller frames")
        found = origins(self.field, num_frames, tuple(noise.shape[2:])).to(noise.device)
        videos = noise.unflatten(0, (-1, num_frames)).transpose(1, 2)
        moved = videos.flatten(2)[:, :, found].view(videos.shape)
        return moved.transpose(1, 2).flatten(0, 1)


def origins(field: MotionField, num_frames: int, size: tuple[int, int]) -> torch.Tensor:
    """For each place of each frame, (F*H*W), the place whose noise it has: itself, or one of a frame before.

    size: (H, W). No two places of a frame have the same.
    """
    height, width = size
    rows, columns = torch.meshgrid(
        torch.arange(height, dtype=torch.float64), torch.arange(width, dtype=torch.float64), indexing="ij"
    )
    keys = [_keys(columns, rows)]
    for displacement in field.displacements(num_frames, size):
        x, y = displacement.double()
        keys.append(_keys(columns + x, rows + y))
    number = torch.arange(num_frames * height * width)
    _, group = torch.cat(keys).unique(return_inverse=True)
    first = torch.full((int(group.max()) + 1,), len(number))
    return first.scatter_reduce(0, group, number, "amin")[group]


def _keys(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """A number for each place of a frame (H*W), by its cell in the first frame and its turn there.

    x, y: where it lies in the first frame, (H, W).
    """
    x, y = x.flatten(), y.flatten()
    column, row = ((place + 0.5).floor() for place in (x, y))
    away = (x - column) ** 2 + (y - row) ** 2
    column, row = (cell.clamp(-_REACH, _REACH - 1).long() + _REACH for cell in (column, row))
    cell = row * (2 * _REACH) + column
    order = away.argsort(stable=True)
    order = order[cell[order].argsort(stable=True)]
    _, counts = cell[order].unique_consecutive(return_counts=True)
    begins = (counts.cumsum(0) - counts).repeat_interleave(counts)
    turn = torch.empty_like(cell)
    turn[order] = torch.arange(len(cell)) - begins
    return cell * _REACH + turn
