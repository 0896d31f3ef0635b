"""Structural similarity of a clip to its reference.

Source: Wang et al. 2004 (IEEE TIP 13(4)): Gaussian window of 11x11 with sigma 1.5, K1 0.01, K2 0.03, and only
where the whole window lies inside of the frame. C colours, H height, W width.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from .metric import PAIR, Clip, Metric, Score, curve_score
from .pairs import checked_pair

WINDOW, SIGMA, K1, K2 = 11, 1.5, 0.01, 0.03


def structural_similarity(one: torch.Tensor, other: torch.Tensor) -> float:
    """Mean over places and colours of two frames (H, W, C), values 0..1, in float64.

    Raises ValueError for frames smaller than the window.
    """
    if min(one.shape[:2]) < WINDOW:
        raise ValueError(
            f"ssim needs frames of at least {WINDOW}x{WINDOW} pixels, got {one.shape[1]}x{one.shape[0]}; take"
            " larger frames."
        )
    x, y = (frame.double().movedim(-1, 0)[:, None] for frame in (one, other))
    mean_x, mean_y = _blurred(x), _blurred(y)
    spread_x = _blurred(x * x) - mean_x**2
    spread_y = _blurred(y * y) - mean_y**2
    common = _blurred(x * y) - mean_x * mean_y
    c1, c2 = K1**2, K2**2
    similarity = (2 * mean_x * mean_y + c1) * (2 * common + c2)
    return float((similarity / ((mean_x**2 + mean_y**2 + c1) * (spread_x + spread_y + c2))).mean())


def _blurred(images: torch.Tensor) -> torch.Tensor:
    """(C, 1, H, W) -> (C, 1, H - 10, W - 10)."""
    places = torch.arange(WINDOW, dtype=images.dtype, device=images.device) - WINDOW // 2
    row = torch.exp(-(places**2) / (2 * SIGMA**2))
    row = row / row.sum()
    return F.conv2d(F.conv2d(images, row.view(1, 1, 1, -1)), row.view(1, 1, -1, 1))


def ssim(clip: Clip) -> Score:
    """Mean over frames. Raises ValueError for clips of different sizes or lengths."""
    values = []
    for frame, reference in checked_pair(clip, "ssim"):
        values.append(structural_similarity(frame, reference))
        clip.progress()
    rule = "window 11x11, sigma 1.5, inside of the frame only; mean of RGB"
    return curve_score("ssim", values, clip.protocol(values="0..1", rule=rule))


METRIC = Metric(
    name="ssim", title="Structural similarity", of=PAIR, better="higher", needs=("reference",), measure=ssim
)
