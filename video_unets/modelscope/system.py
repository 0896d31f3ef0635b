"""ModelScope's files: the original layout and diffusers'."""

from __future__ import annotations

import re

from ..systems import Sampling, Shapes, VideoSystem
from .names import diffusers_settings, diffusers_to_network, original_settings, original_to_network
from .network import ModelScopeUNet


def _is_original(shapes: Shapes) -> bool:
    """A temporal transformer right behind the first convolution, under the original's names."""
    return any(key.startswith("input_blocks.0.1.") for key in shapes) and any(
        re.match(r"input_blocks\.\d+\.0\.temopral_conv\.", key) for key in shapes
    )


def _is_diffusers(shapes: Shapes) -> bool:
    """UNet3DConditionModel; Show-1's pixel networks have `encoder_hid_proj` besides."""
    return (
        any(key.startswith("transformer_in.") for key in shapes)
        and any(".temp_convs." in key for key in shapes)
        and not any(key.startswith("encoder_hid_proj.") for key in shapes)
    )


def _system(name: str, title: str, claims, settings, to_network) -> VideoSystem:
    return VideoSystem(
        name=name,
        title=title,
        prefix="",
        claims=claims,
        network=ModelScopeUNet,
        settings=settings,
        to_network=to_network,
        sampling=lambda tensors: Sampling(),
        # What benchmarks/video_memory.py counts and a quarter more, as core expects for Stable Diffusion 1.5.
        memory_usage_factor=1.3,
        num_frames=16,
    )


SYSTEMS = (
    _system(
        "modelscope",
        "ModelScopeT2V or ZeroScope (original layout)",
        _is_original,
        original_settings,
        original_to_network,
    ),
    _system(
        "modelscope_diffusers",
        "ModelScopeT2V, ZeroScope, Potat1, Animov or Show-1's last stage (diffusers layout)",
        _is_diffusers,
        diffusers_settings,
        diffusers_to_network,
    ),
)
