"""GroupNorms that see the frames of a video as one picture, as some methods were trained with.

Source: AnimateDiff v1 (Guo et al. 2023, arXiv 2307.04725) keeps the frames in one 5-D tensor, so its
ResBlocks take their statistics over all of them; Tune-A-Video (Wu et al. 2022, arXiv 2212.11565) does the
same. Letters: B videos, F frames, N = B*F images, C channels, H height, W width.
"""

from __future__ import annotations

import torch
from einops import rearrange

from .call import Call
from .points import Act, Acts
from .unet_places import UNetPlaces


def joint_norm(call: Call, inner: Act, x: torch.Tensor) -> torch.Tensor:
    """x (N, C, H, W) -> (N, C, H, W), normalised over the frames of each video.

    A second method at the same norm finds the frames joined already and leaves them so."""
    if x.shape[0] != call.forward.num_images:
        return inner(x)
    video = rearrange(x, "(b f) c h w -> b c (f h) w", f=call.num_frames)
    return rearrange(inner(video), "b c (f h) w -> (b f) c h w", f=call.num_frames)


def joint_norm_acts(places: UNetPlaces, with_transformers: bool = False) -> Acts:
    """The norms of ResBlocks and output, 45 in SD1.x; with_transformers those of the spatial transformers
    too, 61 in all, as AnimateDiff-Evolved has it.
    """
    norms = [*places.resblock_norms(), places.output_norm]
    return dict.fromkeys(norms + (places.transformer_norms() if with_transformers else []), joint_norm)
