"""Stable Video Diffusion's files, in the original's and in diffusers' layout, and SV3D's."""

from __future__ import annotations

import re

from ..systems import Sampling, Shapes, VideoSystem
from .names import (
    diffusers_saved_names,
    diffusers_settings,
    diffusers_to_network,
    original_settings,
    svd_modules,
)
from .network import SVDUNet

PREFIX = "model.diffusion_model."
VECTOR_WIDTHS = {"svd": 768, "sv3d_u": 256, "sv3d_p": 1280}
"""Width of the vector conditioning, which is what tells the networks apart."""


def _is_original(width: int):
    """Temporal ResBlocks behind the prefix, and a vector of this width:
    two things, so that a damaged file is told what it lacks.
    """
    pattern = re.compile(r"model\.diffusion_model\.input_blocks\.\d+\.0\.time_stack\.")

    def claims(shapes: Shapes) -> bool:
        if not any(pattern.match(key) for key in shapes):
            return False
        return shapes[f"{PREFIX}label_emb.0.0.weight"][1:2] == (width,)

    return claims


def _is_diffusers(shapes: Shapes) -> bool:
    if not any(re.match(r"down_blocks\.\d+\.resnets\.\d+\.temporal_res_block\.", key) for key in shapes):
        return False
    return shapes["add_embedding.linear_1.weight"][1:2] == (VECTOR_WIDTHS["svd"],)


def _system(name: str, title: str, claims, num_frames: int, **more) -> VideoSystem:
    original = {"prefix": PREFIX, "settings": original_settings, "to_network": dict}
    return VideoSystem(
        name=name,
        title=title,
        claims=claims,
        network=SVDUNet,
        sampling=lambda tensors: Sampling(prediction="edm_v", sigma_min=0.002, sigma_max=700.0),
        memory_usage_factor=2.0,
        num_frames=num_frames,
        text_encoder="",
        vision_prefix="conditioner.embedders.0.open_clip.model.visual.",
        lora_modules=svd_modules,
        **original | more,
    )


_SV3D_VAE = "conditioner.embedders.1.encoder."  # the other one in the file has no encoder
_SVD_TITLE = "Stable Video Diffusion (XT: 25 frames)"

SYSTEMS = (
    _system("svd", _SVD_TITLE, _is_original(VECTOR_WIDTHS["svd"]), 14, model="svd", default_fps=6),
    _system(
        "svd_diffusers",
        f"{_SVD_TITLE}, diffusers layout",
        _is_diffusers,
        14,
        model="svd",
        prefix="",
        settings=diffusers_settings,
        to_network=diffusers_to_network,
        default_fps=6,
        saved_names=diffusers_saved_names,
    ),
    _system(
        "sv3d_u",
        "SV3D_u (orbit without a camera)",
        _is_original(VECTOR_WIDTHS["sv3d_u"]),
        21,
        model="sv3d_u",
        vae_prefix=_SV3D_VAE,
    ),
    _system(
        "sv3d_p",
        "SV3D_p (orbit along a camera path)",
        _is_original(VECTOR_WIDTHS["sv3d_p"]),
        21,
        model="sv3d_p",
        vae_prefix=_SV3D_VAE,
    ),
)
