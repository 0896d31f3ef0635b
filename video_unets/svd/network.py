"""Stable Video Diffusion and SV3D:
image to video with core's own temporal blocks, in the original and in diffusers' layout.

Source: Blattmann et al. 2023, arXiv 2311.15127; Voleti et al. 2024 (SV3D), arXiv 2403.12008;
github.com/Stability-AI/generative-models (sgm VideoUNet) fixes the original key names, diffusers'
UNetSpatioTemporalConditionModel the others. The noisy latent and the image's are concatenated; a vector says
frame rate, motion and noise augmentation (SV3D: augmentation, and for SV3D_p the camera of every frame).
"""

from __future__ import annotations

import torch
from comfy.ldm.modules.attention import SpatialVideoTransformer

from ...motion_modules.call import SINGLE_FRAMES, frames_in_call
from ..temporal_layers import VideoUNet
from .layers import SVDTransformer

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
    """Core's UNetModel with the blocks that it has for Stable Video Diffusion;
    the frame count comes from the batch.

    small_norm_eps: of the norms in the resnets of every up level and of the down
    levels with attention; None for core's. diffusers has 1e-6 in CrossAttnDownBlock,
    UpBlock and CrossAttnUpBlock, and 1e-5 in DownBlock and the middle.
    """

    text_encoder = "the text encoder that these weights were trained with"

    def __init__(self, *, num_head_channels: int, small_norm_eps: float | None = None, **settings):
        super().__init__(num_heads=-1, num_head_channels=num_head_channels, **TEMPORAL_SETTINGS, **settings)
        for module in self.modules():
            if type(module) is SpatialVideoTransformer:
                module.__class__ = SVDTransformer  # the same layers
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
        options = transformer_options or {}
        single = SINGLE_FRAMES in options
        kwargs["num_video_frames"] = 1 if single else frames_in_call(x.shape[0], options)
        return super()._forward(x, timesteps, context, y, control, transformer_options, **kwargs)
