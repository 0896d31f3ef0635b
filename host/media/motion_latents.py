"""LATENT to LATENT: the frames of a video, and the two streams of a dual-stream MODEL, content and motion.

What was split is known by an entry of the LATENT, which ComfyUI's samplers keep: they copy the dict.
Letters: V videos, F frames of each; frames (V*F, C, H, W), streams (2*V*F, C, H, W): the F content frames of
a video, its F motion frames, then the next video.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from ...foreign_text import printable
from ...frame_tools import batches
from ...memory import check_memory
from ...motion_modules.motion_latents import (
    COMBINERS,
    FRAME_BY_FRAME,
    combined,
    combined_at_once,
    difference_sizes,
    motion_of,
)

KEY = "zoetrope_motion"
SPLIT, COMBINE = "Split Into Content and Motion", "Combine Content and Motion"


@dataclass(frozen=True)
class SplitSettings:
    """frames_per_video: F, 0 for all frames. motion_size: of the differences of neighbouring frames beside
    the frames (root mean squares), 0 = measured. Raises ValueError for what makes no sense.
    """

    frames_per_video: int = 0
    motion_size: float = 0.0

    def __post_init__(self) -> None:
        if self.frames_per_video < 0:
            raise ValueError(
                f"frames_per_video={self.frames_per_video} must be 0 (all frames are one video) or larger."
            )
        if not 0 <= self.motion_size < math.inf:
            raise ValueError(
                f"motion_size={self.motion_size} must be a finite number, 0 (measured) or larger."
            )


@dataclass(frozen=True)
class CombineSettings:
    """motion_weight: 0 = content alone, 1 = motion alone. Raises ValueError for what makes no sense."""

    motion_weight: float = 0.5
    combiner: str = FRAME_BY_FRAME

    def __post_init__(self) -> None:
        if not 0 <= self.motion_weight <= 1:
            raise ValueError(f"motion_weight={self.motion_weight} must be between 0 and 1.")
        if self.combiner not in COMBINERS:
            raise ValueError(
                f"combiner='{printable(self.combiner)}' is not known; choose one of {', '.join(COMBINERS)}."
            )


@dataclass(frozen=True)
class Split:
    """What a LATENT of two streams keeps: F, and by how much each video's differences were multiplied."""

    num_frames: int
    gains: tuple[float, ...]

    @property
    def num_images(self) -> int:
        return 2 * self.num_frames * len(self.gains)


def split_streams(latent: dict, settings: SplitSettings) -> dict:
    """Frames as content and motion; the motion's noise mask is that of both frames that it leads from and to.

    Raises ValueError for latents that are no frames of images, and for those that are split already.
    """
    _refuse_video_latents(latent, SPLIT)
    if KEY in latent:
        raise ValueError(f"these latents are split already; remove one of the two nodes '{SPLIT}'.")
    count = batches.count_frames(latent)
    frames = settings.frames_per_video or count
    if count % frames:
        raise ValueError(
            f"{count} frames are not a whole number of videos of frames_per_video={frames}; make the latents "
            f"a multiple of {frames} frames or set frames_per_video to 0 (all frames are one video)."
        )
    _check_memory(latent["samples"], 4)
    following = [min(i + 1, i - i % frames + frames - 1) for i in range(count)]
    now, after = (batches.take_frames(latent, numbers) for numbers in (list(range(count)), following))
    video = latent["samples"].unflatten(0, (-1, frames))
    gains = _gains(video, settings.motion_size)
    streams = {**latent, KEY: Split(frames, gains)}
    motion = motion_of(video.float(), torch.tensor(gains)).to(video).flatten(0, 1)
    streams["samples"] = _both(latent["samples"], motion, frames)
    if "noise_mask" in latent and len(now["noise_mask"]) > 1:
        masks = now["noise_mask"], torch.maximum(now["noise_mask"], after["noise_mask"])
        streams["noise_mask"] = _both(*masks, frames)
    if "batch_index" in latent:
        numbers = torch.tensor(latent["batch_index"])
        own = numbers + numbers.max() - numbers.min() + 1  # motion gets noise of its own
        streams["batch_index"] = _both(numbers, own, frames).tolist()
    return streams


def combine_streams(latent: dict, settings: CombineSettings, split: dict | None = None) -> dict:
    """Frames out of content and motion.

    split: the LATENT that was split, where what came between has lost how. Raises ValueError where nothing
    says so, and for another number of images.
    """
    _refuse_video_latents(latent, COMBINE)
    known = (latent if split is None else split).get(KEY)
    if known is None:
        raise ValueError(
            f"this LATENT does not know how its motion was scaled: it is not that of '{SPLIT}', or a node "
            f"between kept only the images, as Load Latent does; wire the LATENT of '{SPLIT}' into split."
        )
    samples = latent["samples"]
    if len(samples) != known.num_images:
        raise ValueError(
            f"the latents hold {len(samples)} images and were split into {known.num_images}, content and "
            f"motion of {known.num_frames} frames; combine them before you take frames out or put some in."
        )
    _check_memory(samples, 2)
    videos = samples.float().unflatten(0, (-1, 2, known.num_frames))
    gains = torch.tensor(known.gains, device=samples.device)[:, None, None, None, None]
    combine = combined if settings.combiner == FRAME_BY_FRAME else combined_at_once
    frames = combine(videos[:, 0], videos[:, 1] / gains, settings.motion_weight)
    starts = range(0, len(samples), 2 * known.num_frames)
    content = [start + i for start in starts for i in range(known.num_frames)]
    found = {**batches.take_frames(latent, content), "samples": frames.flatten(0, 1).to(samples)}
    return {key: value for key, value in found.items() if key != KEY}


def _gains(video: torch.Tensor, motion_size: float) -> tuple[float, ...]:
    """What makes the differences of each video as large as its frames; 1 where nothing moves."""
    sizes = [motion_size] * len(video) if motion_size else difference_sizes(video)
    return tuple(1 / size if size else 1.0 for size in sizes)


def _both(content: torch.Tensor, motion: torch.Tensor, num_frames: int) -> torch.Tensor:
    """(V*F, ...) of each stream in the order of a batch, (2*V*F, ...)."""
    return torch.stack([x.unflatten(0, (-1, num_frames)) for x in (content, motion)], 1).flatten(0, 2)


def _refuse_video_latents(latent: dict, node: str) -> None:
    if latent["samples"].ndim != 4:
        raise ValueError(
            f"'{printable(node)}' needs the latents of images (F, C, H, W); these have shape "
            f"{tuple(latent['samples'].shape)}. Use Empty Latent Image, or VAE Encode with an SD checkpoint."
        )


def _check_memory(samples: torch.Tensor, copies: int) -> None:
    size = copies * samples.numel() * 4
    check_memory(size, f"content and motion of {len(samples)} images", "take fewer or smaller frames")
