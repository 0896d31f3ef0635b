"""ModelScopeT2V and its finetunes (ZeroScope v2, Potat1, Animov), and Show-1's last stage:
text to video in SD2.1's latent space.

Source: Wang et al. 2023, arXiv 2308.06571; github.com/modelscope/modelscope (video_synthesis/unet_sd.py)
fixes the original key names, diffusers' UNet3DConditionModel the others. Every ResBlock has a temporal
convolution, every spatial transformer a temporal one behind it, and one more temporal transformer follows the
first convolution. Any number of frames runs; 16 were trained (ZeroScope: 24).
"""

from __future__ import annotations

import torch
from comfy.ldm.modules.attention import SpatialTransformer
from comfy.ldm.modules.diffusionmodules.openaimodel import ResBlock

from ..temporal_layers import TemporalConvResBlock, TemporalTransformer, VideoUNet


class ModelScopeUNet(VideoUNet):
    """UNetSD: first_heads are those of the temporal transformer behind the first convolution,
    all heads have head_dim channels.
    """

    def __init__(self, *, num_head_channels: int, first_heads: int = 8, **settings):
        super().__init__(
            num_heads=-1, num_head_channels=num_head_channels, use_linear_in_transformer=True, **settings
        )
        self.replace_layers(self._with_time)
        self.input_blocks[0].append(
            TemporalTransformer(self.model_channels, first_heads, num_head_channels, **self.factory_kwargs)
        )

    def _with_time(self, layer: torch.nn.Module) -> list[torch.nn.Module]:
        if isinstance(layer, ResBlock):
            return [TemporalConvResBlock.like(layer, **self.factory_kwargs)]
        if isinstance(layer, SpatialTransformer):
            return [layer, TemporalTransformer.like(layer, **self.factory_kwargs)]
        return [layer]
