"""Core's transformer of Stable Video Diffusion, computed where the tokens lie.

Source: github.com/Stability-AI/generative-models (sgm SpatialVideoTransformer), which core has as
comfy.ldm.modules.attention.SpatialVideoTransformer: weights, key names and results are that class's. Core
copies all tokens to (B*P, F, C) and back, repeats the text for every pixel, and returns features with the
channels last, for which every convolution behind it copies its weights.

Letters: B videos, F frames of a video in this call, N = B*F images, C channels, H height, W width, P = H*W, S
tokens of a text, D their width.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from comfy.ldm.modules.attention import BasicTransformerBlock, SpatialVideoTransformer
from comfy.ldm.modules.diffusionmodules.util import timestep_embedding
from einops import rearrange

from ..attention import OVERRIDE, attend_over_frames, attend_to_texts


def is_patched(transformer_options: Mapping) -> bool:
    """Whether code of others is to see the attentions: as core has them, then."""
    return any(transformer_options.get(key) for key in ("patches", "patches_replace", OVERRIDE))


def through_frames(
    block: BasicTransformerBlock, x: torch.Tensor, texts: torch.Tensor, num_frames: int
) -> torch.Tensor:
    """What a block of core's time_stack makes of x (N, P, C) and texts (B, S, D): (N, P, C)."""
    x = x + block.ff_in(block.norm_in(x))
    x = x + attend_over_frames(block.attn1, block.norm1(x), num_frames)
    x = x + attend_to_texts(block.attn2, block.norm2(x), texts)
    return x + block.ff(block.norm3(x))


class SVDTransformer(SpatialVideoTransformer):
    """Core's SpatialVideoTransformer; patches see its tokens over frames as core has them."""

    def forward(
        self,
        x,
        context=None,
        time_context=None,
        timesteps=None,
        image_only_indicator=None,
        transformer_options=None,
    ):
        """x (N, C, H, W), context (N, S, D), timesteps = F -> (N, C, H, W)."""
        options = {} if transformer_options is None else transformer_options
        if is_patched(options):
            out = super().forward(x, context, time_context, timesteps, image_only_indicator, options)
            return out.contiguous()
        options["activations_shape"] = list(x.shape)
        texts = (context if time_context is None else time_context)[::timesteps]
        places = self._places(timesteps, x)
        tokens = self.proj_in(rearrange(self.norm(x), "n c h w -> n (h w) c"))
        for index, (block, mixed) in enumerate(zip(self.transformer_blocks, self.time_stack, strict=True)):
            options["block_index"] = index
            tokens = block(tokens, context=context, transformer_options=options)
            moving = through_frames(mixed, tokens + places, texts, timesteps)
            tokens = self.time_mixer(tokens, moving, image_only_indicator)
        return x + rearrange(self.proj_out(tokens), "n (h w) c -> n c h w", h=x.shape[2])

    def _places(self, num_frames: int, x: torch.Tensor) -> torch.Tensor:
        """(N, 1, C): each frame's place in its video, as the network was taught it."""
        places = torch.arange(num_frames, device=x.device)
        embedded = timestep_embedding(places, self.in_channels, max_period=self.max_time_embed_period)
        return self.time_pos_embed(embedded.to(x.dtype)).repeat(len(x) // num_frames, 1)[:, None]
