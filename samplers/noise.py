"""Noise for videos longer than the network was trained for:
related noise in distant frames keeps the content together.

A noise type maps the noise of all frames to noise of the same shape: it says whose noise each frame gets. It
never changes its input. Frame 0 keeps its own noise, or has none.

Source: FreeNoise (Qiu et al. 2023, arXiv 2310.15169, section 3.1; repository AILab-CVC/FreeNoise);
AnimateDiff-Evolved for constant and empty.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch

from ..foreign_text import printable
from ..memory import check_memory

NoiseType = Callable[[int, int, int, int], list[int]]
NO_NOISE = -1


def default(num_frames: int, context_length: int, context_overlap: int, seed: int) -> list[int]:
    """Every frame keeps its own noise."""
    return list(range(num_frames))


def freenoise(num_frames: int, context_length: int, context_overlap: int, seed: int) -> list[int]:
    """After the first window, each piece of context_length - context_overlap
    frames repeats the noise of the piece one window earlier, shuffled by the seed;
    so any context_length frames up to the end of a piece have different noise.

    The paper's step of 4 frames at windows of 16 is context_overlap=12.
    """
    generator = torch.Generator(device="cpu").manual_seed(seed)
    order = list(range(num_frames))
    piece = context_length - context_overlap
    for place in range(context_length, num_frames, piece):
        length = min(piece, num_frames - place)
        shuffled = torch.randperm(length, generator=generator).tolist()
        order[place : place + length] = [order[place - context_length + k] for k in shuffled]
    return order


def repeated(num_frames: int, context_length: int, context_overlap: int, seed: int) -> list[int]:
    """The noise of the first context_length frames over and over, in order."""
    return [frame % context_length for frame in range(num_frames)]


def constant(num_frames: int, context_length: int, context_overlap: int, seed: int) -> list[int]:
    """The noise of the first frame in every frame."""
    return [0] * num_frames


def empty(num_frames: int, context_length: int, context_overlap: int, seed: int) -> list[int]:
    """No noise in any frame: what is there already is sampled as it is."""
    return [NO_NOISE] * num_frames


NOISE_TYPES: dict[str, NoiseType] = {
    "default": default,
    "freenoise": freenoise,
    "repeated": repeated,
    "constant": constant,
    "empty": empty,
}
"""Name -> function that gives, for each frame, the frame whose noise it gets, or NO_NOISE."""


def arrange_noise(
    noise: torch.Tensor,
    noise_type: str,
    frame_axis: int,
    context_length: int,
    context_overlap: int,
    seed: int,
    num_videos: int = 1,
) -> torch.Tensor:
    """Noise of the given type from plain noise:
    (num_videos*F, C, H, W) with frame_axis 0, or (B, C, F, H, W) with frame_axis 2.

    seed decides the shuffling; the videos of a batch are arranged one by one, each in the same way. Returns a
    new tensor. Raises ValueError on an unknown type, on lengths that make no sense, and on a frame axis that
    is not a whole number of videos.
    """
    if noise_type not in NOISE_TYPES:
        raise ValueError(
            f"noise_type='{printable(noise_type)}' must be one of {', '.join(NOISE_TYPES)}; choose one of "
            "these."
        )
    if not 0 <= context_overlap < context_length:
        raise ValueError(
            f"context_overlap={context_overlap} must be at least 0 and smaller than"
            f" context_length={context_length}; lower the overlap or raise the length."
        )
    total = noise.shape[frame_axis]
    if num_videos < 1 or total % num_videos:
        raise ValueError(
            f"{total} frames must be a whole number of num_videos={num_videos} videos; change the batch or"
            " the number."
        )
    num_frames = total // num_videos
    needed = noise.numel() * noise.element_size()
    check_memory(needed, f"the noise of {total} frames", "take fewer or smaller frames")
    order = NOISE_TYPES[noise_type](num_frames, context_length, context_overlap, seed)
    if NO_NOISE in order:
        return torch.zeros_like(noise)
    index = [video * num_frames + frame for video in range(num_videos) for frame in order]
    return noise.index_select(frame_axis, torch.tensor(index, dtype=torch.long, device=noise.device))


class ReferenceNoise:
    """Start noise drawn as the reference implementations of video networks draw it:
    for the whole video at once.

    ComfyUI draws (F, C, H, W), frame after frame; they draw (1, C, F, H, W), channel after channel, so the
    same seed is other noise. An object of ComfyUI's NOISE type; drawn on the CPU, as a reference that seeds
    the CPU's generator does.
    """

    def __init__(self, seed: int):
        self.seed = seed

    def generate_noise(self, latent: Mapping) -> torch.Tensor:
        """Noise of the shape of latent["samples"] (F, C, H, W); with latent["batch_index"], the frames of a
        longer video that it names.

        Raises ValueError for latents of other dimensions.
        """
        samples = latent["samples"]
        if samples.ndim != 4:
            raise ValueError(
                "reference noise is for latents of shape (F, C, H, W), these have shape"
                f" {tuple(samples.shape)}; use RandomNoise."
            )
        frames = list(latent.get("batch_index") or range(samples.shape[0]))
        shape = (1, samples.shape[1], max(frames) + 1, *samples.shape[2:])
        needed = 4 * math.prod(shape) + samples.numel() * samples.element_size()
        check_memory(needed, f"the noise of {shape[2]} frames", "take fewer or smaller frames")
        noise = torch.randn(shape, generator=torch.Generator().manual_seed(self.seed))
        return noise[0].transpose(0, 1)[frames].to(samples.dtype)
