"""Stable Video Diffusion and SV3D in small, under their published key names."""

from __future__ import annotations

from functools import partial

import torch

from ...host.video_models.svd import CONCAT_LATENT
from ...video_unets.svd.system import PREFIX, VECTOR_WIDTHS
from ..gold_weights import gold_input
from .golden_cases import golden_shapes
from .video_network import VideoNetwork, gentle_weights

CONTEXT_DIM = 1024  # CLIP ViT-H's; 64 channels are one head of the published width
GOLDEN_VECTOR, GOLDEN_CONTEXT = 24, 48
GOLDENS = {"original": "svd/video_unet_w64", "diffusers": "svd/diffusers_unet_w64"}
LAYOUTS = tuple(GOLDENS)


def svd_shapes(
    layout: str = "original", system: str = "svd", in_channels: int = 8
) -> dict[str, tuple[int, ...]]:
    """Keys and shapes: those of the golden network of 64 channels
    with the published widths of image token and vector.
    """
    widths = {GOLDEN_VECTOR: VECTOR_WIDTHS[system], GOLDEN_CONTEXT: CONTEXT_DIM}
    shapes = golden_shapes(GOLDENS[layout], widths)
    first = "input_blocks.0.0.weight" if layout == "original" else "conv_in.weight"
    shapes[first] = (shapes[first][0], in_channels, *shapes[first][2:])
    return {(PREFIX if layout == "original" else "") + key: shape for key, shape in shapes.items()}


def tiny_svd(layout: str = "original", system: str = "svd", in_channels: int = 8) -> dict[str, torch.Tensor]:
    """What a file holds of the network."""
    return gentle_weights(svd_shapes(layout, system, in_channels))


def _turn(frames: int, latent: tuple[int, int, int]) -> dict:
    return {CONCAT_LATENT: gold_input("image latent", (1, *latent)), "augmentation_level": 1e-5}


def _image(frames: int, latent: tuple[int, int, int]) -> dict:
    return _turn(frames, latent) | {"motion_bucket_id": 127, "fps": 6, "augmentation_level": 0.02}


def _orbit(frames: int, latent: tuple[int, int, int]) -> dict:
    azimuth = [360.0 * frame / frames for frame in range(frames)]
    return _turn(frames, latent) | {"elevation": [10.0] * frames, "azimuth": azimuth}


def _network(system: str, conditions, layout: str = "original", **more) -> VideoNetwork:
    tensors = partial(tiny_svd, layout, "svd" if system.startswith("svd") else system)
    return VideoNetwork(
        system, tensors, CONTEXT_DIM, conditions=conditions, controlnets=True, tokens=1, **more
    )


NETWORKS = (
    _network("svd", _image, golden=GOLDENS["original"]),
    _network("svd_diffusers", _image, "diffusers", golden=GOLDENS["diffusers"]),
    _network("sv3d_u", _turn),
    _network("sv3d_p", _orbit),
)
