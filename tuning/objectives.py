"""What a prediction is scored by.

All kinds of networks are scored on what they say the clean latents are: each loss of the literature is the
squared error of that, times a weight that depends on the noise level alone. With x = x0 + sigma * noise, as
ComfyUI counts it, and e the error of x0:

    error of the noise       e / sigma                    (eps; and of the velocity of a flow)
    error of the velocity    e * sqrt(1 + sigma^2) / sigma
    EDM's weighted error     e * sqrt(sigma^2 + s^2) / (sigma * s), s: standard deviation of the data

Source: Ho et al. 2020, arXiv 2006.11239, equation 14; Salimans and Ho 2022, arXiv 2202.00512, section 4;
Karras et al. 2022, arXiv 2206.00364, table 1; Zhao et al. 2023, arXiv 2310.08465, equation 7 (debiased).

Letters: F frames of a clip, C channels, H, W latent size.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

AS_TRAINED = "as the model was trained"

Weight = Callable[[torch.Tensor, float], torch.Tensor]
"""(sigma, standard deviation of the data) -> the factor of the error of x0."""

WEIGHTS: dict[str, Weight] = {
    "noise": lambda sigma, data: 1 / sigma,
    "velocity": lambda sigma, data: (1 + sigma**2).sqrt() / sigma,
    "clean latents": lambda sigma, data: torch.ones_like(sigma),
    "EDM": lambda sigma, data: (sigma**2 + data**2).sqrt() / (sigma * data),
}
LOSSES = [AS_TRAINED, *WEIGHTS]


def clip_loss(
    denoised: torch.Tensor,
    clean: torch.Tensor,
    sigma: torch.Tensor,
    loss: str,
    debias: float = 0.0,
    anchor: int = 0,
    data: float = 1.0,
) -> torch.Tensor:
    """The loss of one clip at one noise level: denoised and clean (F, C, H, W), sigma a number.

    loss: of WEIGHTS. debias: how much the same loss without what the frames have in common with frame
    `anchor` counts besides: sqrt(2) * error - error of that frame.
    """
    error = (denoised - clean) * WEIGHTS[loss](sigma, data)
    total = error.square().mean()
    if debias:
        total = total + debias * (2**0.5 * error - error[anchor]).square().mean()
    return total
