"""Temporal warping error: how much a frame differs from the next one, brought back along the optical flow.

Source: Lai et al. 2018 (arXiv 1808.00449): the mean squared difference of colours where nothing is hidden.
Hidden places and borders of movement are those of Ruder et al. 2016 (arXiv 1604.08610). H height, W width.
"""

from __future__ import annotations

import torch

from ..frame_tools.optical_flow import warped
from .metric import CLIP, Clip, Metric, Score, check_length, curve_score


def seen_in_both(forward: torch.Tensor, backward: torch.Tensor) -> torch.Tensor:
    """Where the second frame shows a place of the first (H, W), by the flows there and back (2, H, W)."""
    there, back = forward[None], warped(backward[None], forward[None])
    apart = ((there + back) ** 2).sum(1)
    lengths = (there**2).sum(1) + (back**2).sum(1)
    height, width = forward.shape[1:]
    x = torch.arange(width, device=forward.device) + forward[0]
    y = torch.arange(height, device=forward.device)[:, None] + forward[1]
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    slopes = torch.zeros(1, height, width, device=forward.device)
    slopes[..., :-1] += (there[..., 1:] - there[..., :-1]).square().sum(1)
    slopes[..., :-1, :] += (there[..., 1:, :] - there[..., :-1, :]).square().sum(1)
    border = slopes > 0.01 * (there**2).sum(1) + 0.002
    return ((apart < 0.01 * lengths + 0.5) & ~border)[0] & inside


def warping_error(clip: Clip) -> Score:
    """Mean over steps, values 0..1; 0 = each frame is the one before, moved. A step of which nothing can be
    seen in both frames counts as its plain difference. Raises ValueError for fewer than two frames.
    """
    check_length(clip.frames, 2, "warping_error")
    values, hidden = [], 0
    for first, second in zip(clip.frames[:-1], clip.frames[1:], strict=True):
        first, second = (frame[..., :3].float().cpu() for frame in (first, second))
        forward, backward = clip.flow(first, second).float().cpu(), clip.flow(second, first).float().cpu()
        there = warped(second.movedim(-1, 0)[None], forward[None])[0].movedim(0, -1)
        seen = seen_in_both(forward, backward)
        if not bool(seen.any()):
            hidden, seen, there = hidden + 1, torch.ones_like(seen), second
        values.append(float(((there - first) ** 2)[seen].double().mean()))
        clip.progress()
    rule = "mean squared difference where nothing is hidden"
    warnings = (f"in {hidden} steps no place was seen in both frames (a cut?).",) if hidden else ()
    protocol = clip.protocol(network=clip.flow.name, values="0..1", rule=rule)
    return curve_score("warping_error", values, protocol, first=1, warnings=warnings)


METRIC = Metric(
    name="warping_error",
    title="Temporal warping error",
    of=CLIP,
    better="lower",
    needs=("flow",),
    least_frames=2,
    measure=warping_error,
)
