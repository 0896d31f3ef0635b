"""Stable Video Diffusion and SV3D: image to video with core's
own temporal blocks, in the original and in diffusers' layout.

Source: Blattmann et al. 2023, arXiv 2311.15127; Voleti et al. 2024 (SV3D), arXiv 2403.12008;
github.com/Stability-AI/generative-models (sgm VideoUNet) fixes the original key names, diffusers'
UNetSpatioTemporalConditionModel the others. The noisy latent and the image's are concatenated; a vector says
frame rate, motion and noise augmentation (SV3D: augmentation, and for SV3D_p the camera of every frame).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from comfy.ldm.modules.attention import SpatialVideoTransformer

from ...motion_modules.call import frames_in_call
from ..file_shapes import FileShapes, agreed_size
from ..modelscope.network import block_settings
from ..systems import Sampling, Shapes, VideoSystem
from ..temporal_layers import VideoUNet
from .names import SVDNames, svd_modules

PREFIX = "model.diffusion_model."
HEAD_CHANNELS = 64  # of every attention head, in all published files
VECTOR_WIDTHS = {"svd": 768, "sv3d_u": 256, "sv3d_p": 1280}
"""Width of the vector conditioning, which is what tells the networks apart."""

_DIFFUSERS_EPS = 1e-6
TEMPORAL_SETTINGS = {
    "num_classes": "sequential",
    "use_temporal_resblock": True,
    "use_temporal_attention": True,
    "use_linear_in_transformer": True,
    "extra_ff_mix_layer": True,
    "use_spatial_context": True,
    "merge_strategy": "learned_with_images",
    "merge_factor": 0.0,
    "video_kernel_size": [3, 1, 1],
}


class SVDUNet(VideoUNet):
    """Core's UNetModel with the blocks that it has for Stable
    Video Diffusion; the frame count comes from the batch.

    small_norm_eps: of the norms in the resnets of every up level and of the down
    levels with attention; None for core's. diffusers has 1e-6 in CrossAttnDownBlock,
    UpBlock and CrossAttnUpBlock, and 1e-5 in DownBlock and the middle.
    """

    text_encoder = "the text encoder that these weights were trained with"

    def __init__(self, *, num_head_channels: int, small_norm_eps: float | None = None, **settings):
        super().__init__(num_heads=-1, num_head_channels=num_head_channels, **TEMPORAL_SETTINGS, **settings)
        if small_norm_eps is not None:
            attention = SpatialVideoTransformer
            downs = [b for b in self.input_blocks if any(isinstance(layer, attention) for layer in b)]
            for block in (*downs, *self.output_blocks):
                for norm in block[0].modules():
                    if isinstance(norm, torch.nn.GroupNorm):
                        norm.eps = small_norm_eps

    def _forward(
        self, x, timesteps=None, context=None, y=None, control=None, transformer_options=None, **kwargs
    ):
        """As VideoUNet; core's own temporal blocks are handed the number of frames."""
        kwargs["num_video_frames"] = frames_in_call(x.shape[0], transformer_options or {})
        return super()._forward(x, timesteps, context, y, control, transformer_options, **kwargs)


def _network() -> type:
    return SVDUNet


def original_settings(shapes: Shapes) -> dict[str, Any]:
    """Constructor arguments of SVDUNet from shapes under core's names."""
    vector, emb = "label_emb.0.0.weight", "label_emb.0.2.weight"
    agreed_size(shapes, {vector: 0, emb: 1, "time_embed.2.weight": 1})
    return {
        "in_channels": agreed_size(shapes, {"input_blocks.0.0.weight": 1}),
        "out_channels": agreed_size(shapes, {"out.2.weight": 0, "out.2.bias": 0}),
        "adm_in_channels": agreed_size(shapes, {vector: 1}),
        "num_head_channels": HEAD_CHANNELS,
        **block_settings(shapes),
    }


def diffusers_settings(shapes: FileShapes) -> dict[str, Any]:
    """Constructor arguments of SVDUNet from shapes under diffusers' names."""
    names = SVDNames(shapes)
    settings = original_settings(shapes.renamed(lambda key: names.core_name(key) or key))
    return settings | {"small_norm_eps": _DIFFUSERS_EPS}


def diffusers_to_network(state_dict: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """diffusers' key names -> core's; no shape differs."""
    names = SVDNames(state_dict)
    return {names.core_name(key) or key: value for key, value in state_dict.items()}


def _diffusers_names(published_keys: Iterable[str]) -> dict[str, str]:
    """{network's key: diffusers'}."""
    keys = list(published_keys)
    names = SVDNames(keys)
    return {names.core_name(key) or key: key for key in keys}


def _is_original(width: int):
    """Temporal ResBlocks behind the prefix, and a vector of this
    width: two things, so that a damaged file is told what it lacks.
    """

    def claims(shapes: Shapes) -> bool:
        if not any(
            re.match(r"model\.diffusion_model\.input_blocks\.\d+\.0\.time_stack\.", key) for key in shapes
        ):
            return False
        return shapes[f"{PREFIX}label_emb.0.0.weight"][1:2] == (width,)

    return claims


def _is_diffusers(shapes: Shapes) -> bool:
    if not any(re.match(r"down_blocks\.\d+\.resnets\.\d+\.temporal_res_block\.", key) for key in shapes):
        return False
    return shapes["add_embedding.linear_1.weight"][1:2] == (VECTOR_WIDTHS["svd"],)


def _sampling(tensors: Mapping) -> Sampling:
    return Sampling(prediction="edm_v", sigma_min=0.002, sigma_max=700.0)


def _system(
    name: str,
    title: str,
    claims,
    num_frames: int,
    prefix: str = PREFIX,
    settings=original_settings,
    to_network=dict,
    **more,
) -> VideoSystem:
    return VideoSystem(
        name=name,
        title=title,
        prefix=prefix,
        claims=claims,
        network=_network,
        settings=settings,
        to_network=to_network,
        sampling=_sampling,
        memory_usage_factor=MEMORY,
        num_frames=num_frames,
        conditions=("concat_image", "vector"),
        text_encoder="",
        vision_prefix="conditioner.embedders.0.open_clip.model.visual.",
        lora_modules=svd_modules,
        **more,
    )


MEMORY = 2.0
_SV3D_VAE = "conditioner.embedders.1.encoder."  # the other one in the file has no encoder
_SVD_TITLE = "Stable Video Diffusion (XT: 25 frames)"

SYSTEMS = (
    _system("svd", _SVD_TITLE, _is_original(VECTOR_WIDTHS["svd"]), 14, default_fps=6),
    _system(
        "svd_diffusers",
        f"{_SVD_TITLE}, diffusers layout",
        _is_diffusers,
        14,
        prefix="",
        settings=diffusers_settings,
        to_network=diffusers_to_network,
        default_fps=6,
        saved_names=_diffusers_names,
    ),
    _system(
        "sv3d_u",
        "SV3D_u (orbit without a camera)",
        _is_original(VECTOR_WIDTHS["sv3d_u"]),
        21,
        vae_prefix=_SV3D_VAE,
    ),
    _system(
        "sv3d_p",
        "SV3D_p (orbit along a camera path)",
        _is_original(VECTOR_WIDTHS["sv3d_p"]),
        21,
        vae_prefix=_SV3D_VAE,
    ),
)
