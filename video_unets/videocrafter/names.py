"""From the names and shapes of VideoCrafter's and DynamiCrafter's files to the network's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from ..core_shapes import block_settings
from ..file_shapes import FileShapes, agreed_size
from .network import INIT_HEADS

IMAGE_CHANNELS = 4
"""That DynamiCrafter reads beside the noisy latent."""


def settings_from_shapes(shapes: FileShapes) -> dict[str, Any]:
    """Arguments of VideoCrafterUNet from shapes without the prefix.

    Raises ValueError for shapes that contradict each other and for a key that the file lacks.
    """
    inner = agreed_size(
        shapes,
        {"init_attn.0.proj_in.weight": 0, "init_attn.0.proj_in.bias": 0, "init_attn.0.proj_out.weight": 1},
    )
    latent_channels, image_channels = _channels(shapes)
    tables = {
        shape[0] for key, shape in shapes.items() if key.endswith("relative_position_k.embeddings_table")
    }
    return {
        "in_channels": latent_channels + image_channels,
        "out_channels": latent_channels,
        **block_settings(shapes),
        "num_head_channels": inner // INIT_HEADS,
        "temporal_conv": any(".temopral_conv." in key for key in shapes),
        "max_distance": min(tables) // 2 if tables else 0,
        "has_fps": any(key.startswith(("fps_embedding.", "framestride_embed.")) for key in shapes),
        "image_tokens": _image_tokens(shapes, image_channels),
        "learned_image_scale": any(key.endswith(".attn2.alpha") for key in shapes),
    }


def _channels(shapes: FileShapes) -> tuple[int, int]:
    """(channels of the noisy latent, of the image's latent beside it)."""
    key = "input_blocks.0.0.weight"
    first = shapes[key]
    image_channels = IMAGE_CHANNELS if first[1:2] == (2 * IMAGE_CHANNELS,) else 0
    noisy = shapes.renamed(lambda name: name)
    if image_channels:
        noisy[key] = (first[0], first[1] - image_channels, *first[2:])
    return agreed_size(noisy, {key: 1, "out.2.weight": 0}), image_channels


def _image_tokens(shapes: FileShapes, image_channels: int) -> str:
    if not any(".to_k_ip." in key for key in shapes):
        return ""
    return "frame" if image_channels else "video"


def to_network(state_dict: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Published keys are the network's, but for the frame stride's name in the first DynamiCrafter 256.

    'framestride_embed.0.weight' -> 'fps_embedding.0.weight'
    """
    return {key.replace("framestride_embed.", "fps_embedding."): value for key, value in state_dict.items()}
