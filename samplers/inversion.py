"""DDIM inversion: from a video up to the noise that deterministic sampling makes it of.

Sampling goes from a noise level to a lower one by x_t = x_s + (sigma_t - sigma_s) d(x_s, sigma_s), where d is
(x - denoised) / sigma: the noise that the network sees. DDIM without eta is this in ComfyUI's latents, and so
is Euler, for networks that predict noise, v, a flow or as EDM has it. Upward, d at the end is not known yet.

Source: Song et al. 2021 (DDIM), arXiv 2010.02502, section 4.3; the published codes of diffusers and
Tune-A-Video (arXiv 2212.11565) for "diffusers"; Pan et al. 2023 (AIDI), arXiv 2309.04907, for the fixed
point. Ours: the best iterate is kept, and the iteration ends where it does not come closer.

Letters: x of any shape, the same for all levels; sigmas have no dimensions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch

from ..foreign_text import printable

FIXED_POINT, DIFFUSERS, EULER = "fixed point", "diffusers", "euler"
INVERSION_MODES = (FIXED_POINT, DIFFUSERS, EULER)
"""Where d of a step up is taken: at its end (solved), at its begin as if at its end, at its begin."""


class Denoiser(Protocol):
    """What a network says of noisy latents."""

    def direction(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """d of x at a noise level above 0, shaped like x."""

    def input_scale(self, sigma: torch.Tensor) -> torch.Tensor:
        """By what x is multiplied before the network sees it, a number."""


@dataclass(frozen=True)
class InversionSettings:
    """What a person chooses. Raises ValueError with rule, value and remedy on settings that make no sense."""

    mode: str = FIXED_POINT
    """One of INVERSION_MODES."""
    iterations: int = 10
    """The most corrections of a step; only a fixed point has them."""
    tolerance: float = 1e-5
    """Relative to x: a correction as small as this is the last one of its step."""

    def __post_init__(self) -> None:
        if self.mode not in INVERSION_MODES:
            raise ValueError(
                f"mode='{printable(self.mode)}' must be one of {', '.join(INVERSION_MODES)}; choose one of"
                " these."
            )
        if self.iterations < 1:
            raise ValueError(
                f"iterations={self.iterations} must be at least 1; choose mode='{DIFFUSERS}' for none."
            )
        if not 0 <= self.tolerance < 1:
            raise ValueError(f"tolerance={self.tolerance} must be 0 or more and below 1; 1e-5 is usual.")


def levels_up(sigmas: torch.Tensor, lowest: torch.Tensor) -> torch.Tensor:
    """Rising noise levels from the lowest that a network knows on; those below it become this one level.

    As diffusers does it (set_alpha_to_one False), a video without noise counts as one at this level. What the
    network says of less noise changes so fast that no fixed point is found.

    >>> levels_up(torch.tensor([0.0, 0.25, 0.5, 2.0]), torch.tensor(0.25)).tolist()
    [0.25, 0.5, 2.0]
    """
    lowest = lowest.to(sigmas)
    known = sigmas[sigmas > lowest * 1.0001]
    return known if len(known) == len(sigmas) else torch.cat((lowest[None], known))


def step_down(denoiser: Denoiser, x: torch.Tensor, sigma, next_sigma) -> torch.Tensor:
    """One step of sampling from a noise level to a lower one: DDIM without eta, Euler."""
    return x + (next_sigma - sigma) * denoiser.direction(x, sigma)


def step_up(
    denoiser: Denoiser, x: torch.Tensor, sigma, next_sigma, settings: InversionSettings
) -> tuple[torch.Tensor, float]:
    """x at the next, higher noise level, and how far it is from the solution.

    That is the size of the last correction relative to x, 0 where there are none. Raises ValueError where x
    is no number any more.
    """
    distance = next_sigma - sigma
    if settings.mode == EULER:
        result, residual = x + distance * denoiser.direction(x, sigma), 0.0
    else:
        # The network sees x as it is at this level, and is told the next one.
        seen = x * (denoiser.input_scale(sigma) / denoiser.input_scale(next_sigma))
        result, residual = x + distance * denoiser.direction(seen, next_sigma), 0.0
    if settings.mode == FIXED_POINT:
        result, residual = _solve(denoiser, x, sigma, next_sigma, result, settings)
    if not bool(result.isfinite().all()):
        raise ValueError(
            f"the video became no number (NaN) at sigma={float(next_sigma):g}; run the model in float32, or"
            " take more steps."
        )
    return result, residual


def _solve(
    denoiser: Denoiser, x: torch.Tensor, sigma, next_sigma, guess: torch.Tensor, settings: InversionSettings
) -> tuple[torch.Tensor, float]:
    """The x of the next level whose step down leads to x: what comes out is put in, as long as that comes
    closer; otherwise the guess that changed least. The number is how much that was, relative to x.
    """
    best, least, size = guess, float("inf"), float(torch.linalg.vector_norm(x.float())) or 1.0
    for _ in range(settings.iterations):
        result = x + (next_sigma - sigma) * denoiser.direction(guess, next_sigma)
        residual = float(torch.linalg.vector_norm((result - guess).float())) / size
        if not residual < least:
            return best, least
        best, least, guess = guess, residual, result
        if least <= settings.tolerance:
            break
    return guess, least


def relative_error(result: torch.Tensor, expected: torch.Tensor) -> float:
    """||result - expected|| / ||expected||; 0 where both are 0."""
    error, size = (float(torch.linalg.vector_norm(x.float())) for x in (result - expected, expected))
    return error / size if size else (0.0 if error == 0 else float("inf"))


def check_error(difference: float, largest_error: float) -> str:
    """What a relative error says in words. Raises ValueError where it is above the largest."""
    told = f"the video comes back with a relative error of {difference:.1e}"
    if not difference <= largest_error:
        raise ValueError(
            f"{told}, more than largest_error={largest_error:g}; take more steps or iterations, the video's"
            " own prompt, or raise largest_error."
        )
    return told
