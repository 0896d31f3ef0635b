"""How far a reconstructed video is from the original: in its latents, and in its frames behind a VAE."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import comfy.model_management
import torch

from ...samplers.inversion import check_error, relative_error
from ..media.latent_stream import ChunkRequest, LatentStream

BEST_PSNR = 100.0
"""In dB, where frames are the same."""


@dataclass(frozen=True)
class ReconstructionLimits:
    """What a reconstruction must reach."""

    largest_error: float = 0.05
    """Relative, of the latents; 0 = any."""
    least_psnr: float = 0.0
    """In dB, of the frames; 0 = any."""


def report_reconstruction(
    latent: Mapping, reconstruction: Mapping, limits: ReconstructionLimits, vae=None
) -> tuple[str, float, float]:
    """The report in words, the relative error of the latents and the PSNR in dB (0 without a VAE).

    Raises ValueError for latents of different shapes, for a limit of the PSNR without a VAE, and where a
    limit is not kept.
    """
    samples, made = latent["samples"], reconstruction["samples"]
    if samples.shape != made.shape:
        raise ValueError(
            f"the reconstruction has the shape {tuple(made.shape)} and the video {tuple(samples.shape)}; wire"
            " latents of the same video."
        )
    if limits.least_psnr and vae is None:
        raise ValueError(f"least_psnr={limits.least_psnr:g} needs frames; wire a VAE, or set it to 0.")
    error = relative_error(made.cpu().float(), samples.cpu().float())
    told = check_error(error, limits.largest_error or math.inf)
    psnr = psnr_of(vae, samples, made) if vae is not None else 0.0
    if vae is not None:
        told += f" and a PSNR of {psnr:.1f} dB"
    if not psnr >= limits.least_psnr:
        raise ValueError(
            f"{told}, less than least_psnr={limits.least_psnr:g}; take more steps or iterations, or lower"
            " least_psnr."
        )
    return told, error, psnr


def psnr_of(vae, samples: torch.Tensor, made: torch.Tensor) -> float:
    """PSNR in dB, at most BEST_PSNR, of the decoded frames of two LATENTs, a few frames at a time."""
    total, values = 0.0, 0
    streams = (LatentStream(vae, latents, ChunkRequest()).frames() for latents in (samples, made))
    for (one, _), (other, _) in zip(*streams, strict=True):
        comfy.model_management.throw_exception_if_processing_interrupted()
        total += float(((one.float() - other.float()) ** 2).sum())
        values += one.numel()
    return min(BEST_PSNR, -10 * math.log10(max(total / values, 1e-10)))
