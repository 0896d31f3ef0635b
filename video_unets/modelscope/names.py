"""From the names and shapes of ModelScope's files, original or diffusers' layout, to the network's.

Source: github.com/modelscope/modelscope (video_synthesis/unet_sd.py) and diffusers' UNet3DConditionModel.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch

from ..core_shapes import HEAD_CHANNELS, block_settings
from ..diffusers_names import DiffusersNames
from ..file_shapes import FileShapes, agreed_size
from ..systems import Shapes

_BARE_DOWNSAMPLER = re.compile(r"^(input_blocks\.\d+)\.op\.")


def original_settings(shapes: Shapes) -> dict[str, Any]:
    """Arguments of ModelScopeUNet from shapes under the original names (downsamplers with or without `.0`).

    Raises ValueError for shapes that contradict each other and for a key that the file lacks.
    """
    latent_channels = agreed_size(shapes, {"input_blocks.0.0.weight": 1, "out.2.weight": 0})
    # Shapes tell heads times channels only.
    inner = agreed_size(shapes, {"input_blocks.0.1.proj_in.weight": 0, "input_blocks.0.1.proj_out.weight": 1})
    return {
        "in_channels": latent_channels,
        "out_channels": latent_channels,
        **block_settings(shapes),
        "num_head_channels": HEAD_CHANNELS,
        "first_heads": inner // HEAD_CHANNELS,
    }


def diffusers_settings(shapes: FileShapes) -> dict[str, Any]:
    """As `original_settings`, from shapes under diffusers' names."""
    names = DiffusersNames(shapes)
    return original_settings(shapes.renamed(lambda key: names.core_name(key) or key))


def original_to_network(state_dict: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Original key names -> the network's: its downsamplers stand alone in their block.

    'input_blocks.3.op.weight' -> 'input_blocks.3.0.op.weight'
    """
    return {_BARE_DOWNSAMPLER.sub(r"\1.0.op.", key): value for key, value in state_dict.items()}


def diffusers_to_network(state_dict: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """diffusers' key names -> the network's; its temporal projections are Linear (O, I) and become
    Conv1d (O, I, 1).

    'transformer_in.proj_in.weight' (512, 320) -> 'input_blocks.0.1.proj_in.weight' (512, 320, 1)
    """
    names = DiffusersNames(state_dict)
    out = {}
    for key, value in state_dict.items():
        temporal = "temp_attentions." in key or key.startswith("transformer_in.")
        if temporal and key.endswith(("proj_in.weight", "proj_out.weight")):
            value = value.unsqueeze(-1)
        out[names.core_name(key) or key] = value
    return out
