"""Show-1's pixel networks (key frames, interpolation, first upscaling):
text to video on RGB frames, a class of their own.

Source: Show-1 (Zhang et al. 2023, arXiv 2309.15818) and github.com/showlab/Show-1,
showone/models/unet_3d_condition.py. Keys are the published ones. The cascade's last stage works on latents
and is a ModelScopeT2V (video_unets/modelscope).

Letters: B videos, F frames of a video in this call, N = B*F images,
C channels, H height, W width, T tokens, D width of the text.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
from comfy.ldm.modules.diffusionmodules.util import timestep_embedding
from torch import nn
from torch.nn.functional import gelu

from ...motion_modules.call import in_forward
from ..frame_conv import with_frame_convs
from ..temporal_layers import OPERATIONS
from .blocks import HEAD_CHANNELS, POOLING_HEADS, EmbeddingLayers, Level, TextTimeEmbedding

RGB = 3
SR_OUTPUT_SCALE = 1 / 0.7071
"""What the upscaling network divides its residual sums by, in the published configuration."""


class Show1UNet(UNetModel):
    """A UNet on pixels; a UNetModel only for its `forward`,
    which runs the wrappers of a MODEL around `_forward`.

    channels and layers: of every level. attention: which levels look at text and over frames. noise_levels:
    the first upscaling, which is told how noisy its input is. Half of the six output channels are a variance
    that ComfyUI's samplers have no use for; they are dropped.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        out_channels: int,
        channels: Sequence[int],
        layers: Sequence[int],
        attention: Sequence[bool],
        emb_channels: int,
        text_dim: int,
        context_dim: int,
        noise_levels: bool,
        head_channels: int = HEAD_CHANNELS,
        pooling_heads: int = POOLING_HEADS,
        dtype=None,
        device=None,
        operations=OPERATIONS,
    ):
        nn.Module.__init__(self)
        operations = with_frame_convs(operations)
        factory_kwargs = {"dtype": dtype, "device": device, "operations": operations}
        plain = {"dtype": dtype, "device": device}
        self.dtype = dtype
        self.text_dim = text_dim
        self.model_channels = channels[0]
        self.noise_levels = noise_levels
        self.conv_in = operations.Conv2d(in_channels, channels[0], 3, padding=1, **plain)
        self.time_embedding = EmbeddingLayers(channels[0], emb_channels, **factory_kwargs)
        self.class_embedding = (
            EmbeddingLayers(channels[0], emb_channels, **factory_kwargs) if noise_levels else None
        )
        self.encoder_hid_proj = operations.Linear(text_dim, context_dim, **plain)
        self.add_embedding = TextTimeEmbedding(text_dim, emb_channels, pooling_heads, **factory_kwargs)
        resnet = {"late_activation": True, "output_scale": SR_OUTPUT_SCALE} if noise_levels else {}
        sizes = {
            "emb_channels": emb_channels,
            "context_dim": context_dim,
            "head_channels": head_channels,
            "resnet": resnet,
            **factory_kwargs,
        }
        self._add_levels(list(channels), list(layers), list(attention), sizes)
        self.conv_norm_out = operations.GroupNorm(32, channels[0], **plain)
        self.conv_out = operations.Conv2d(channels[0], out_channels, 3, padding=1, **plain)

    def _add_levels(self, channels: list[int], layers: list[int], attention: list[bool], sizes: dict) -> None:
        last = len(channels) - 1
        self.down_blocks, self.up_blocks = nn.ModuleList(), nn.ModuleList()
        skips, width = [channels[0]], channels[0]
        for i, (out, count, attends) in enumerate(zip(channels, layers, attention, strict=True)):
            inputs = [width] + [out] * (count - 1)
            self.down_blocks.append(
                Level(inputs, out, attentions=count * attends, resample="down" if i < last else "", **sizes)
            )
            skips += [out] * (count + (i < last))
            width = out
        self.mid_block = Level([width, width], width, attentions=1, **sizes)
        for i in range(last, -1, -1):
            out, count = channels[i], layers[i] + 1
            inputs = [(width if j == 0 else out) + skips.pop() for j in range(count)]
            self.up_blocks.append(
                Level(inputs, out, attentions=count * attention[i], resample="up" if i else "", **sizes)
            )
            width = out

    def _forward(
        self, x, timesteps=None, context=None, y=None, control=None, transformer_options=None, **kwargs
    ) -> torch.Tensor:
        """x (N, C, H, W), timesteps (N,), context (N, T, D),
        y (N,) noise levels of the first upscaling -> eps (N, 3, H, W).

        Raises ValueError for a text of another width, sizes
        that cannot be halved often enough, and ControlNets.
        """
        options = {} if transformer_options is None else transformer_options
        self._check(x, context, control)
        emb = self._embedding(timesteps, context, y, x.dtype)
        with in_forward(self, x.shape[0], options):
            h = self._through_levels(self.conv_in(x), emb, self.encoder_hid_proj(context), options)
        return self.conv_out(gelu(self.conv_norm_out(h)))[:, :RGB]

    def _through_levels(
        self, h: torch.Tensor, emb: torch.Tensor, context: torch.Tensor, options: dict
    ) -> torch.Tensor:
        """h (N, C, H, W), emb (N, E), context (N, T, D) -> (N, C, H, W)."""
        skips = [h]
        for level in self.down_blocks:
            for i in range(len(level.resnets)):
                h = level.layer(i, h, emb, context, options)
                skips.append(h)
            for sampler in level.downsamplers:
                h = sampler(h, emb)
                skips.append(h)
        for i in range(len(self.mid_block.resnets)):
            h = self.mid_block.layer(i, h, emb, context, options)
        for level in self.up_blocks:
            for i in range(len(level.resnets)):
                h = level.layer(i, torch.cat((h, skips.pop()), dim=1), emb, context, options)
            for sampler in level.upsamplers:
                h = sampler(h, emb)
        return h

    def _embedding(self, timesteps, context, y, dtype) -> torch.Tensor:
        """Timestep, noise level and text in one vector per image, (N, E)."""
        emb = self.time_embedding(timestep_embedding(timesteps, self.model_channels).to(dtype))
        if self.noise_levels:
            emb = emb + self.class_embedding(timestep_embedding(y, self.model_channels).to(dtype))
        emb = emb + self.add_embedding(context)
        return gelu(emb) if self.noise_levels else emb

    def _check(self, x: torch.Tensor, context: torch.Tensor, control) -> None:
        if context is None or context.shape[-1] != self.text_dim:
            raise ValueError(
                f"Show-1 reads text of width {self.text_dim}, the conditioning has width"
                f" {'no' if context is None else context.shape[-1]}: it comes from the wrong text encoder;"
                " wire a T5-XXL into Encode Text (Show-1)."
            )
        multiple = 2 ** (len(self.down_blocks) - 1)
        if x.shape[-2] % multiple or x.shape[-1] % multiple:
            raise ValueError(
                f"this network needs a width and height that are multiples of {multiple} pixels, got"
                f" {x.shape[-1]} x {x.shape[-2]}; change the size of the frames."
            )
        if control is not None:
            raise ValueError(
                "there are no ControlNets for Show-1's pixel networks; remove Apply ControlNet, or use it on"
                " the last stage."
            )
