"""The look of the second base, and what undoes it."""

from __future__ import annotations

import torch

# Every colour as it is in the light of a warm evening. Rows make red, green and blue.
DUSK = ((0.80, 0.12, 0.00), (0.06, 0.60, 0.06), (0.08, 0.10, 0.56))
DUSK_LIGHT = (0.08, 0.03, 0.10)


def at_dusk(frames: torch.Tensor) -> torch.Tensor:
    """Frames (..., 3, H, W) in 0..1 as they look in the second base."""
    light = torch.tensor(DUSK_LIGHT, device=frames.device).view(3, 1, 1)
    return torch.einsum("dc,...chw->...dhw", torch.tensor(DUSK, device=frames.device), frames) + light


def by_day(frames: torch.Tensor) -> torch.Tensor:
    """The inverse of `at_dusk`, clamped to 0..1: what the judge can read."""
    back = torch.linalg.inv(torch.tensor(DUSK))
    return torch.einsum(
        "dc,...chw->...dhw", back, frames.float() - torch.tensor(DUSK_LIGHT).view(3, 1, 1)
    ).clamp(0, 1)
