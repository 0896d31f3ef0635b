"""Small networks of Stable Video Diffusion and SV3D under their published key names, with seeded values."""

from __future__ import annotations

import json

import comfy.clip_vision
import comfy.sd
import comfy.taesd.taesd
import torch

from ...video_unets.svd.system import PREFIX, VECTOR_WIDTHS
from ..gold_weights import fill, gold_tensor
from ..places import GOLDENS
from .host.video_models.tiny_videocrafter import TINY_VISION

CONTEXT_DIM = 1024  # CLIP ViT-H's; 64 channels are one head of the published width
GOLDEN_VECTOR, GOLDEN_CONTEXT = 24, 48
LAYOUTS = ("original", "diffusers")


def svd_shapes(
    layout: str = "original", system: str = "svd", in_channels: int = 8
) -> dict[str, tuple[int, ...]]:
    """Keys and shapes: those of the golden network of 64
    channels with the published widths of image token and vector.
    """
    name = "video_unet_w64" if layout == "original" else "diffusers_unet_w64"
    golden = json.loads((GOLDENS / "svd" / f"{name}.json").read_text())["shapes"]
    widths = {GOLDEN_VECTOR: VECTOR_WIDTHS[system], GOLDEN_CONTEXT: CONTEXT_DIM}
    shapes = {key: tuple(widths.get(side, side) for side in shape) for key, shape in golden.items()}
    first = "input_blocks.0.0.weight" if layout == "original" else "conv_in.weight"
    shapes[first] = (shapes[first][0], in_channels, *shapes[first][2:])
    return {(PREFIX if layout == "original" else "") + key: shape for key, shape in shapes.items()}


def tiny_svd(layout: str = "original", system: str = "svd", in_channels: int = 8) -> dict[str, torch.Tensor]:
    """What a file holds of the network; the last layer is
    weak, so that sampling stays in the range of real latents.
    """
    last = ("out.2.weight", "conv_out.weight")
    shapes = svd_shapes(layout, system, in_channels)
    return {
        key: gold_tensor(key, shape, 0.3 if key.endswith(last) and "block" not in key else 1.0)
        for key, shape in shapes.items()
    }


def tiny_encoders(width: int = CONTEXT_DIM) -> dict:
    """A CLIP_VISION and a VAE that are core's, only narrower; width is that of the image's token."""
    vision = comfy.clip_vision.ClipVisionModel({**TINY_VISION, "projection_dim": width})
    fill(vision.model.float())
    weights = fill(comfy.taesd.taesd.TAESD(), skip=("vae_scale", "vae_shift")).state_dict()
    return {"clip_vision": vision, "vae": comfy.sd.VAE(sd=weights)}
