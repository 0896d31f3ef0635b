"""The files of Show-1's pixel networks. The cascade's last stage works on latents and is a ModelScopeT2V.

Source: github.com/showlab/Show-1, showone/pipelines and run_inference.py; the schedulers are those of
DeepFloyd IF (diffusers' DPMSolverMultistepScheduler with squaredcos_cap_v2, lambda_min_clipped -5.1 and
dynamic thresholding).
"""

from __future__ import annotations

import math
import re
from typing import Any

from ..file_shapes import agreed_size
from ..systems import Sampling, Shapes, VideoSystem
from .blocks import HEAD_CHANNELS, POOLING_HEADS
from .network import RGB, Show1UNet


def _has(shapes: Shapes, start: str, part: str = "") -> bool:
    return any(key.startswith(start) and part in key for key in shapes)


def _is_show1(shapes: Shapes) -> bool:
    """T5 projection and temporal convolutions; DeepFloyd IF has the first alone, ModelScopeT2V the second."""
    return _has(shapes, "encoder_hid_proj.") and _has(shapes, "down_blocks.", ".temp_convs.")


def _is_upscaling(shapes: Shapes) -> bool:
    return _is_show1(shapes) and _has(shapes, "class_embedding.")


def _is_base(shapes: Shapes) -> bool:
    # The only thing that tells base and interpolation apart; a file that lacks it says so.
    return _is_show1(shapes) and not _is_upscaling(shapes) and shapes["conv_in.weight"][1:2] == (RGB,)


def _is_interpolation(shapes: Shapes) -> bool:
    return _is_show1(shapes) and not _is_upscaling(shapes) and not _is_base(shapes)


def settings_from_shapes(shapes: Shapes) -> dict[str, Any]:
    """Arguments of Show1UNet, without its input channels, from a file's keys and shapes.

    Raises ValueError for shapes that contradict each other and for a key that the file lacks.
    """
    levels = 1 + max(int(found[1]) for key in shapes if (found := re.match(r"down_blocks\.(\d+)\.", key)))
    return {
        "out_channels": 2 * RGB,
        **_level_settings(shapes, levels),
        "emb_channels": agreed_size(
            shapes, {"time_embedding.linear_1.weight": 0, "add_embedding.proj.weight": 0}
        ),
        "text_dim": agreed_size(shapes, {"encoder_hid_proj.weight": 1, "add_embedding.proj.weight": 1}),
        "context_dim": agreed_size(
            shapes, {"encoder_hid_proj.weight": 0, "mid_block.attentions.0.add_k_proj.weight": 1}
        ),
        "noise_levels": _is_upscaling(shapes),
        "head_channels": HEAD_CHANNELS,
        "pooling_heads": POOLING_HEADS,
    }


def _level_settings(shapes: Shapes, levels: int) -> dict[str, list]:
    resnets = [f"down_blocks.{level}.resnets" for level in range(levels)]
    return {
        "channels": [
            agreed_size(shapes, {f"{name}.0.conv1.weight": 0, f"{name}.0.conv2.weight": 0})
            for name in resnets
        ],
        "layers": [
            1 + max(int(key.split(".")[3]) for key in shapes if key.startswith(f"{name}."))
            for name in resnets
        ],
        "attention": [_has(shapes, f"down_blocks.{level}.attentions.") for level in range(levels)],
    }


def _sampling(threshold: float) -> Sampling:
    """ComfyUI's "cosine" is diffusers' "squaredcos_cap_v2"; it has no start and end. (Core's schedule of that
    other name is no tensor.)
    """
    return Sampling(beta_schedule="cosine", largest_sigma=math.exp(5.1), threshold=threshold)


def _system(name: str, title: str, claims, in_channels: int, threshold: float = 1.5, **more) -> VideoSystem:
    return VideoSystem(
        name=name,
        title=title,
        prefix="",
        claims=claims,
        network=Show1UNet,
        to_network=dict,
        settings=lambda shapes: {"in_channels": in_channels, **settings_from_shapes(shapes)},
        sampling=lambda tensors: _sampling(threshold),
        latent="pixels",
        text_encoder="t5-xxl",
        **more,
    )


# Memory: what benchmarks/video_memory.py counts
# and the quarter more that core expects for Stable Diffusion 1.5.
SYSTEMS = (
    _system(
        "show1_base", "Show-1 base (text to key frames)", _is_base, RGB, memory_usage_factor=0.7, num_frames=8
    ),
    _system(
        "show1_interpolation",
        "Show-1 interpolation (3 frames between two)",
        _is_interpolation,
        7,
        model="show1_interpolation",
        memory_usage_factor=0.7,
        num_frames=5,
    ),
    _system(
        "show1_sr1",
        "Show-1 super-resolution 1 (x4)",
        _is_upscaling,
        6,
        threshold=1.0,
        model="show1_upscaler",
        memory_usage_factor=0.2,
        num_frames=8,
        size_multiple=16,
    ),
)
