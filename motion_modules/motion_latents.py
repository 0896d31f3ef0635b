"""Motion frames out of content frames, and back: the decomposer and the combiner of a dual stream, as maths.

Source: the motion decomposer and combiner of the Dual-Stream Diffusion Net (Liu et al. 2023, arXiv
2308.08316, section 3). There both are learned and unpublished. Ours: motion is the difference of neighbouring
latents, made as large as the latents are; the combiner weighs content against motion, without weights.

Letters: B videos, F frames, C channels, H height, W width; videos (B, F, C, H, W).
"""

from __future__ import annotations

import torch

FRAME_BY_FRAME, LEAST_SQUARES = "frame by frame", "least squares"
COMBINERS = (FRAME_BY_FRAME, LEAST_SQUARES)


def difference_sizes(video: torch.Tensor) -> list[float]:
    """For each video the size of its neighbouring frames' differences beside that of its frames, both as root
    mean squares: 0.0 where nothing moves. Raises ValueError for numbers that are not finite.
    """
    sizes = []
    for frames in video.float():
        level, change = (x.square().mean().sqrt().item() if x.numel() else 0.0
                         for x in (frames, frames[1:] - frames[:-1]))  # fmt: skip
        if not level + change < float("inf"):  # NaN compares as false
            raise ValueError(
                "the latents hold numbers that are not finite (NaN or infinity), which have no motion; look "
                "at what made them."
            )
        sizes.append(change / level if change else 0.0)
    return sizes


def motion_of(video: torch.Tensor, gains: torch.Tensor) -> torch.Tensor:
    """The motion of each frame, its difference to the next times the video's gain (B,); 0 for the last."""
    motion = torch.zeros_like(video)
    motion[:, :-1] = (video[:, 1:] - video[:, :-1]) * gains.to(video)[:, None, None, None, None]
    return motion


def combined(content: torch.Tensor, steps: torch.Tensor, weight: float) -> torch.Tensor:
    """Content (B, F, C, H, W) that follows the motion frame by frame: frame t is content plus `weight` times
    the way to (frame t-1 plus its step), weight 0..1. steps: the differences that motion stands for.
    """
    if weight == 0:
        return content.clone()
    frames = content.clone()
    for t in range(1, content.shape[1]):
        frames[:, t].lerp_(frames[:, t - 1] + steps[:, t - 1], weight)
    return frames


def combined_at_once(content: torch.Tensor, steps: torch.Tensor, weight: float) -> torch.Tensor:
    """The frames x with the least sum of (1-weight) |x_t - content_t|^2 and weight |x_t+1 - x_t - steps_t|^2.

    Each frame then follows earlier and later ones alike. One elimination through the tridiagonal equations

        (1-w) x_t + w (x_t - x_t-1) - w (x_t+1 - x_t) = (1-w) content_t + w (steps_t-1 - steps_t)

    without the terms past both ends. Raises ValueError for a weight of 1, which leaves the first frame open.
    """
    if weight == 1:
        raise ValueError(
            f"motion_weight=1 leaves open where the frames start with '{LEAST_SQUARES}'; lower it to at most "
            f"0.99, or choose '{FRAME_BY_FRAME}'."
        )
    if weight == 0:
        return content.clone()
    last = content.shape[1] - 1
    frames, ratios = content * (1 - weight), []
    for t in range(last + 1):  # each frame as a part without, and a ratio of, the one after it
        own = 1 - weight + weight * ((t > 0) + (t < last))
        if t < last:
            frames[:, t] -= weight * steps[:, t]
        if t > 0:
            frames[:, t] += weight * (steps[:, t - 1] + frames[:, t - 1])
            own -= weight * ratios[-1]
        frames[:, t] /= own
        ratios.append(weight / own)
    for t in reversed(range(last)):
        frames[:, t] += ratios[t] * frames[:, t + 1]
    return frames
