"""LaVie's three files."""

from __future__ import annotations

from ..systems import Sampling, Shapes, VideoSystem
from .names import saved_names, settings_from_shapes, to_network
from .network import LavieUNet

BETAS = {"beta_schedule": "sqrt_linear", "linear_start": 1e-4, "linear_end": 0.02}


def _has(shapes: Shapes, part: str) -> bool:
    return any(part in key for key in shapes)


def _is_base(shapes: Shapes) -> bool:
    return _has(shapes, ".attn_temp.time_rel_pos_bias.")


def _is_interpolation(shapes: Shapes) -> bool:
    # Tune-A-Video files name their attention over frames alike, but have four input channels.
    return (
        _has(shapes, ".attn_temp.to_")
        and not _is_base(shapes)
        and shapes.get("conv_in.weight", ())[1:2] != (4,)
    )


def _is_upscaler(shapes: Shapes) -> bool:
    return any(key.startswith("down_temporal_blocks.") for key in shapes)


def _system(name: str, title: str, claims, in_channels: int, prediction: str = "eps", **more) -> VideoSystem:
    return VideoSystem(
        name=name,
        title=title,
        prefix="",
        claims=claims,
        network=LavieUNet,
        to_network=to_network,
        settings=lambda shapes: {"in_channels": in_channels, **settings_from_shapes(shapes)},
        sampling=lambda tensors: Sampling(prediction=prediction, **BETAS),
        saved_names=saved_names,
        **more,
    )


# Memory: what benchmarks/video_memory.py counts
# and the quarter more that core expects for Stable Diffusion 1.5.
SYSTEMS = (
    _system(
        "lavie_base",
        "LaVie base (text to video)",
        _is_base,
        4,
        memory_usage_factor=1.05,
        num_frames=16,
        text_encoder="clip-l",
    ),
    _system(
        "lavie_interpolation",
        "LaVie interpolation (16 to 61 frames)",
        _is_interpolation,
        8,
        model="lavie_interpolation",
        memory_usage_factor=1.0,
        num_frames=61,
        text_encoder="clip-l",
    ),
    _system(
        "lavie_vsr",
        "LaVie video super-resolution (x4)",
        _is_upscaler,
        7,
        prediction="v",
        model="lavie_upscaler",
        memory_usage_factor=0.5,
        num_frames=8,
        size_multiple=4,
        latent="sd_x4",
    ),
)
