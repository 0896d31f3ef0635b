"""Sizes of a network with the blocks of ComfyUI's UNetModel, read from shapes under core's key names.

Letters: C channels of a block, D width of the text.
"""

from __future__ import annotations

import re
from typing import Any

import torch

from .file_shapes import agreed_size
from .systems import Shapes

HEAD_CHANNELS = 64
"""Of every attention head of ModelScope's, VideoCrafter's and Stable Video Diffusion's published files."""


def block_settings(shapes: Shapes) -> dict[str, Any]:
    """Widths, depths and the text's width D as arguments of UNetModel.

    Raises ValueError for shapes that contradict each other and for a key that the file lacks.

    Two levels of one ResBlock each: `input_blocks.0` is the first convolution, `input_blocks.1` the ResBlock
    of level 0, `input_blocks.2` its downsampler, `input_blocks.3` the ResBlock of level 1.
    """
    channels = agreed_size(
        shapes, {"input_blocks.0.0.weight": 0, "time_embed.0.weight": 1, "out.0.weight": 0, "out.2.weight": 1}
    )
    levels = _input_levels(shapes)
    outputs = {int(key.split(".")[1]) for key in shapes if key.startswith("output_blocks.")}
    attention = "middle_block.1.transformer_blocks.0.attn2"
    return {
        "model_channels": channels,
        "channel_mult": [_block_channels(shapes, level[0]) // channels for level in levels],
        "num_res_blocks": [len(level) for level in levels],
        "transformer_depth": [
            _has_attention(shapes, f"input_blocks.{block}") for level in levels for block in level
        ],
        "transformer_depth_middle": 1,
        "transformer_depth_output": [
            _has_attention(shapes, f"output_blocks.{block}") for block in sorted(outputs, reverse=True)
        ],
        "context_dim": agreed_size(shapes, {f"{attention}.to_k.weight": 1, f"{attention}.to_v.weight": 1}),
        # as core does for the SD2.x networks these grew from: float16 overflows there
        "attn_precision": torch.float32,
    }


def _input_levels(shapes: Shapes) -> list[list[int]]:
    """The numbers of the input blocks that hold a ResBlock, by level: [[1, 2], [4, 5], ...].

    A downsampler takes the number between two levels (3, 6, ...).
    """
    found = (re.match(r"input_blocks\.(\d+)\.0\.in_layers\.", key) for key in shapes)
    blocks = {int(match[1]) for match in found if match}
    levels: list[list[int]] = []
    for block in sorted(blocks):
        if block - 1 not in blocks:
            levels.append([])
        levels[-1].append(block)
    return levels


def _block_channels(shapes: Shapes, block: int) -> int:
    name = f"input_blocks.{block}.0"
    return agreed_size(shapes, {f"{name}.in_layers.2.weight": 0, f"{name}.out_layers.3.weight": 0})


def _has_attention(shapes: Shapes, block: str) -> int:
    return int(any(key.startswith(f"{block}.1.transformer_blocks.") for key in shapes))
