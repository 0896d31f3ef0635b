"""LaVie's three networks (text to video, interpolation to 61 frames, fourfold upscaling) as ComfyUI UNets.

Source: LaVie (Wang et al. 2023, arXiv 2309.15103) and
github.com/Vchitect/LaVie, base/, interpolation/ and vsr/.

Letters: B videos, F frames of a video in this call, N = B*F images, C channels, H height, W width.
"""

from __future__ import annotations

from comfy.ldm.modules.attention import CrossAttention, SpatialTransformer
from comfy.ldm.modules.diffusionmodules.openaimodel import ResBlock, TimestepEmbedSequential
from torch import nn

from ..temporal_layers import VideoUNet
from .layers import (
    FrameAttention,
    FramesAndFeedForward,
    SparseCausalAttention,
    TemporalModule,
    VideoResidual,
    joint_norm_class,
)


class LavieUNet(VideoUNet):
    """Core's UNet with LaVie's norms over frames and attention over frames.

    positions: attention over frames before the feed-forward, with positions (base and upscaler); without,
    after it and with sparse-causal attention between images (interpolation). temporal_modules: the upscaler's
    residual blocks over frames.
    """

    text_encoder = "CLIP-L as of Stable Diffusion 1.x (CLIP type stable_diffusion)"

    def __init__(self, *, positions: bool, temporal_modules: bool, **settings):
        super().__init__(**settings)
        self.positions = positions
        self.temporal_modules = temporal_modules
        for module in list(self.modules()):
            if isinstance(module, ResBlock):
                module.in_layers[0] = self._joint_norm(module.in_layers[0])
                module.out_layers[0] = self._joint_norm(module.out_layers[0])
            elif isinstance(module, SpatialTransformer):
                self._add_frames(module)
        self.out[0] = self._joint_norm(self.out[0])
        if temporal_modules:
            self.text_encoder = VideoUNet.text_encoder
            self.replace_layers(self._residual_in_front)
            self._add_temporal_modules()

    def _joint_norm(self, norm: nn.GroupNorm) -> nn.GroupNorm:
        joint = joint_norm_class(self.factory_kwargs["operations"].GroupNorm)
        return joint(
            norm.num_groups,
            norm.num_channels,
            eps=norm.eps,
            dtype=self.factory_kwargs["dtype"],
            device=self.factory_kwargs["device"],
        )

    def _add_frames(self, transformer: SpatialTransformer) -> None:
        """Puts attention over frames into a transformer's blocks, in place, where LaVie has it."""
        for block in transformer.transformer_blocks:
            sizes = block.n_heads * block.d_head, block.n_heads, block.d_head
            if self.positions:
                attention = FrameAttention(*sizes, **self.factory_kwargs)
            else:
                attention = CrossAttention(sizes[0], heads=sizes[1], dim_head=sizes[2], **self.factory_kwargs)
                block.attn1 = SparseCausalAttention(
                    sizes[0], heads=sizes[1], dim_head=sizes[2], **self.factory_kwargs
                )
            block.norm3 = nn.Identity()
            block.ff = FramesAndFeedForward(sizes[0], attention, self.positions, **self.factory_kwargs)

    def _residual_in_front(self, layer: nn.Module) -> list[nn.Module]:
        """The upscaler's transformers stand behind a residual block over three frames."""
        if not isinstance(layer, SpatialTransformer):
            return [layer]
        return [VideoResidual(layer.in_channels, ((3, 1, 1), (3, 1, 1)), **self.factory_kwargs), layer]

    def _add_temporal_modules(self) -> None:
        """Behind every level: on the way down in front of the next block (what skips over is saved before),
        else at the level's end.
        """
        per_level = self.num_res_blocks[0] + 1
        widths = [int(self.model_channels * mult) for mult in self.channel_mult]
        modules = [TemporalModule(width, self.model_channels * 4, **self.factory_kwargs) for width in widths]
        for level, module in enumerate(modules[:-1], 1):
            self.input_blocks[level * per_level + 1].insert(0, module)
        middle = TemporalModule(widths[-1], self.model_channels * 4, **self.factory_kwargs)
        self.middle_block = TimestepEmbedSequential(modules[-1], *self.middle_block, middle)
        for level, width in enumerate(reversed(widths), 1):
            self.output_blocks[level * per_level - 1].append(
                TemporalModule(width, self.model_channels * 4, **self.factory_kwargs)
            )
