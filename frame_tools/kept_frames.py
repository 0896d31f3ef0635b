"""Frames of a video that stay while the others are sampled: latents and their noise mask.

A noise mask is ComfyUI's: 1 = made anew, 0 = stays. Letters: V videos, F frames of each, K frames that are
kept, C channels, H height, W width. Latents are (V*F, C, H, W), or (V, C, F, H, W) of video models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as nnf

from ..foreign_text import printable
from ..memory import check_memory
from ..shapes import videos_in_batch
from .batches import frame_axis, full_mask
from .selection import check_expression, select_frames


@dataclass(frozen=True)
class KeptFrames:
    """frames: which ones are kept, as in Select Frames. strength: how firmly, 0..1, one number or one for
    each of them. frames_per_video: F where a batch holds several videos; 0 = all are one. Raises ValueError
    for values out of range and for a text that names no frames.
    """

    frames: str = "0,-1"
    strength: Sequence[float] = (1.0,)
    frames_per_video: int = 0

    def __post_init__(self) -> None:
        check_expression(self.frames)
        for value in self.strength:
            if not 0 <= value <= 1:  # NaN compares as false
                raise ValueError(f"strength={value} must be 0..1; 1 keeps a frame as it is.")
        _check_frames_per_video(self.frames_per_video)

    def numbers(self, num_frames: int) -> list[int]:
        """The kept frames of a video. Raises ValueError for one past the end and for one named twice."""
        numbers = select_frames(self.frames, num_frames)
        if len(set(numbers)) < len(numbers):
            twice = next(number for number in numbers if numbers.count(number) > 1)
            raise ValueError(
                f'frames="{printable(self.frames)}" names frame {twice} of the {num_frames} twice; name each'
                " key frame once."
            )
        if len(self.strength) not in (1, len(numbers)):
            raise ValueError(
                f"strength holds {len(self.strength)} numbers, there are {len(numbers)} key frames; give one"
                " number, or one for each."
            )
        return numbers


def keep_frames(latent: dict, keys: torch.Tensor, kept: KeptFrames) -> dict:
    """The latent with `keys` in place of the kept frames, and a noise mask under which they stay.

    keys: latents (K, C, H, W) or (V*K, C, H, W), of video models (1 or V, C, K, H, W), in the order in which
    kept.frames names them. Raises ValueError for latents of another size and for another number of them.
    """
    videos, ndim = _as_videos(latent["samples"], kept.frames_per_video), latent["samples"].ndim
    numbers = kept.numbers(videos.shape[1])
    found = len(keys) if keys.ndim == 4 else keys.shape[2]
    if found not in (len(numbers), len(videos) * len(numbers)) or (keys.ndim == 5 and ndim == 4):
        several = f" ({len(videos) * len(numbers)} for {len(videos)} videos)" if len(videos) > 1 else ""
        raise ValueError(
            f'frames="{printable(kept.frames)}" names {len(numbers)} of the {videos.shape[1]} frames'
            f"{several}, key_frames holds {found} (shape {tuple(keys.shape)}); name as many frames as there"
            " are."
        )
    keys = _as_videos(keys, len(numbers))
    if keys.shape[2:] != videos.shape[2:] or len(keys) not in (1, len(videos)):
        raise ValueError(
            f"key_frames has latents of shape {tuple(keys.shape[2:])}, the video {tuple(videos.shape[2:])};"
            " encode them with the VAE of this checkpoint at the size of the video."
        )
    check_memory(2 * videos.numel() * 4, f"latents of {videos.shape[1]} frames", "take fewer frames")
    videos, mask = videos.clone(), _mask_of(latent, kept.frames_per_video).clone()
    videos[:, numbers] = keys.to(videos).expand(len(videos), -1, -1, -1, -1)
    strength = torch.tensor(kept.strength, dtype=mask.dtype, device=mask.device).expand(len(numbers))
    mask[:, numbers] = (1 - strength)[:, None, None, None]
    return {**latent, "samples": _as_latents(videos, ndim), "noise_mask": _as_latents(mask, ndim)}


def denoise_frames(latent: dict, values: torch.Tensor, frames_per_video: int = 0) -> dict:
    """The latent with a noise mask of these values (1 or F, H', W'), 0..1, which are resized where they are
    not 1x1; a mask that it has already is multiplied with them.

    Raises ValueError for values out of range and for another number of them than frames.
    """
    _check_frames_per_video(frames_per_video)
    if not bool(((values >= 0) & (values <= 1)).all()):
        raise ValueError(
            f"denoise has values from {float(values.min()):g} to {float(values.max()):g}, all must be 0..1; 0"
            " keeps a frame, 1 makes it anew."
        )
    ndim, mask = latent["samples"].ndim, _mask_of(latent, frames_per_video)
    if len(values) not in (1, mask.shape[1]):
        raise ValueError(
            f"denoise has values for {len(values)} frames, the video has {mask.shape[1]}; give one value, or"
            " one for each frame."
        )
    values = values[:, None].to(mask)
    if values.shape[2:] != (1, 1):
        values = nnf.interpolate(values, mask.shape[-2:], mode="bilinear", antialias=True)
    return {**latent, "noise_mask": _as_latents(mask * values, ndim)}


def _mask_of(latent: dict, frames_per_video: int) -> torch.Tensor:
    """The noise mask (V or 1, F, 1, H', W'); 1 where there is none."""
    return _as_videos(full_mask(latent).float(), frames_per_video)


def _as_videos(tensor: torch.Tensor, frames_per_video: int) -> torch.Tensor:
    """(V*F, C, H, W) or (V, C, F, H, W) as (V, F, C, H, W). Raises ValueError for parts of videos."""
    if frame_axis(tensor):
        videos = tensor.movedim(2, 1)
        if frames_per_video not in (0, videos.shape[1]):
            raise ValueError(
                f"frames_per_video={frames_per_video} is for frames in the batch, these latents have"
                f" {videos.shape[1]} frames on an axis of their own; set it to 0."
            )
        return videos
    frames = frames_per_video or len(tensor)
    return tensor.unflatten(0, (videos_in_batch(len(tensor), frames), frames))


def _as_latents(videos: torch.Tensor, ndim: int) -> torch.Tensor:
    """The way back from `_as_videos` to latents of so many dimensions."""
    return videos.flatten(0, 1) if ndim == 4 else videos.movedim(1, 2)


def _check_frames_per_video(frames_per_video: int) -> None:
    if frames_per_video < 0:
        raise ValueError(
            f"frames_per_video={frames_per_video} must be at least 0; 0 makes all frames one video."
        )
