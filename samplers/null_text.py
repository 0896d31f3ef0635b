"""Null-text inversion: a negative prompt for every step, found so that guided sampling returns to the video.

Guidance leads away from the way that an inversion went up. At each step on the way back the embedding of the
negative prompt is changed until the step, guided, comes to where the inversion was.

Source: Mokady et al. 2023 (Null-text Inversion), arXiv 2211.09794, and its published notebook, which fixes
the numbers: Adam anew at each step, the embedding kept from step to step, a learning rate of
0.01 (1 - step / 100), and an end at a loss below 1e-5 + 2e-5 step, looked at after the update.

Letters: x latents of any shape; L tokens, D width of an embedding (1, L, D).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

Predict = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""(x, embedding) -> the direction d for that prompt."""


@dataclass(frozen=True)
class NullTextSettings:
    """What a person chooses. Raises ValueError with rule, value and remedy on settings that make no sense."""

    cfg: float = 7.5
    """The guidance that is sampled with afterwards."""
    iterations: int = 10
    """The most updates of a step."""
    learning_rate: float = 1e-2
    """Of the first step."""
    tolerance: float = 1e-5
    """The loss, mean square of latents of unit variance, at which the first step is done."""

    def __post_init__(self) -> None:
        if self.cfg == 1:
            raise ValueError("cfg=1 has no negative prompt that could be changed; set it above 1.")
        if self.iterations < 1:
            raise ValueError(f"iterations={self.iterations} must be at least 1; 10 is the published number.")
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate={self.learning_rate} must be above 0; 0.01 is published.")
        if self.tolerance < 0:
            raise ValueError(f"tolerance={self.tolerance} must be 0 or more; 0.00001 is published.")

    def rate_of(self, step: int) -> float:
        return self.learning_rate * (1 - min(step, 99) / 100)

    def tolerance_of(self, step: int) -> float:
        return self.tolerance * (1 + 2 * step)


def fit_step(
    predict: Predict,
    x: torch.Tensor,
    target: torch.Tensor,
    prompt: torch.Tensor,
    embedding: torch.Tensor,
    distance: torch.Tensor,
    unit: torch.Tensor,
    step: int,
    settings: NullTextSettings,
) -> tuple[torch.Tensor, torch.Tensor, list[float]]:
    """(embedding, x after the guided step with it, losses) of one step down from x to near target.

    prompt: d of the positive prompt at x. distance: next noise level - this one, below 0. unit: by what
    latents of the next level are multiplied to have unit variance. Gradients must be possible.
    """
    embedding = embedding.detach().clone().requires_grad_(True)
    optimiser, losses = torch.optim.Adam([embedding], lr=settings.rate_of(step)), []

    def guided() -> torch.Tensor:
        uncond = predict(x, embedding)
        return x + distance * (uncond + settings.cfg * (prompt - uncond))

    for _ in range(settings.iterations):
        loss = torch.nn.functional.mse_loss(guided() * unit, target * unit)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
        if losses[-1] < settings.tolerance_of(step):
            break
    with torch.no_grad():
        return embedding.detach(), guided(), losses
