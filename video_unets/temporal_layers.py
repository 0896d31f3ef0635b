"""What turns ComfyUI's image UNet into a video network:
temporal convolutions and temporal transformers in its own blocks.

Source: ModelScopeT2V (Wang et al. 2023, arXiv 2308.06571, section 3.2) and its published implementation
(github.com/modelscope/modelscope, video_synthesis/unet_sd.py) fix the layers and their key names, the
misspelled `temopral_conv` included.

Letters: B videos, F frames of a video in this call, N = B*F images, C channels, H height, W width. Everything
between the layers is (N, C, H, W) with the frames of a video adjacent, so that core's ControlNet, patches and
previews see a batch of images.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import comfy.ops
import torch
from comfy.ldm.modules.attention import BasicTransformerBlock, SpatialTransformer
from comfy.ldm.modules.diffusionmodules.openaimodel import ResBlock, TimestepEmbedSequential, UNetModel
from einops import rearrange
from torch import nn

from ..motion_modules.call import in_forward, running_frames
from ..shapes import fold_frames, unfold_frames
from .attention import FrameAttention, RelativePositionAttention, TextAttention, note_texts
from .frame_conv import with_frame_convs

OPERATIONS = comfy.ops.disable_weight_init
_OVER_FRAMES = {"time_stack", "attn_temp"}  # names of core's layers for Stable Video Diffusion, and LaVie's


class TemporalConv(nn.Module):
    """Four times norm, SiLU and a convolution over three frames, added to the input;
    the norms see all frames of a video.
    """

    def __init__(self, channels: int, dtype=None, device=None, operations=OPERATIONS):
        super().__init__()
        factory_kwargs = {"dtype": dtype, "device": device}
        for name in ("conv1", "conv2", "conv3", "conv4"):
            # The published files count a dropout before every convolution but the first.
            dropout = [] if name == "conv1" else [nn.Identity()]
            norm = operations.GroupNorm(32, channels, **factory_kwargs)
            conv = operations.Conv3d(channels, channels, (3, 1, 1), padding=(1, 0, 0), **factory_kwargs)
            self.add_module(name, nn.Sequential(norm, nn.SiLU(), *dropout, conv))

    def forward(self, video: torch.Tensor) -> torch.Tensor:
        """video (B, C, F, H, W) -> the same shape."""
        return video + self.conv4(self.conv3(self.conv2(self.conv1(video))))


class TemporalConvResBlock(ResBlock):
    """Core's ResBlock with a temporal convolution behind it."""

    def __init__(
        self,
        channels: int,
        emb_channels: int,
        out_channels: int,
        dtype=None,
        device=None,
        operations=OPERATIONS,
    ):
        factory_kwargs = {"dtype": dtype, "device": device, "operations": operations}
        super().__init__(channels, emb_channels, 0, out_channels=out_channels, **factory_kwargs)
        self.temopral_conv = TemporalConv(out_channels, **factory_kwargs)

    @classmethod
    def like(cls, block: ResBlock, dtype=None, device=None, operations=OPERATIONS) -> TemporalConvResBlock:
        """A block of the same sizes as an image UNet's, weights not set."""
        return cls(
            block.channels,
            block.emb_channels,
            block.out_channels,
            dtype=dtype,
            device=device,
            operations=operations,
        )

    def forward(self, x: torch.Tensor, emb: torch.Tensor) -> torch.Tensor:
        """x (N, C, H, W), emb (N, E) -> (N, C', H, W)."""
        return fold_frames(self.temopral_conv(unfold_frames(super().forward(x, emb), running_frames())))


class TemporalTransformer(nn.Module):
    """Self-attention over the frames of every pixel:
    GroupNorm over all frames of a video, projection, one transformer block.

    No SpatialTransformer, because patches count those. Both attentions of the block look at frames, none at
    the text. linear: Linear projections as in VideoCrafter instead of the Conv1d of ModelScope. max_distance:
    of the relative positions, 0 = none.
    """

    def __init__(
        self,
        channels: int,
        heads: int,
        head_dim: int,
        linear: bool = False,
        max_distance: int = 0,
        dtype=None,
        device=None,
        operations=OPERATIONS,
    ):
        super().__init__()
        factory_kwargs = {"dtype": dtype, "device": device}
        inner = heads * head_dim
        self.in_channels = channels
        self.use_linear = linear
        self.norm = operations.GroupNorm(32, channels, eps=1e-6, **factory_kwargs)
        self.proj_in = (
            operations.Linear(channels, inner, **factory_kwargs)
            if linear
            else operations.Conv1d(channels, inner, 1, **factory_kwargs)
        )
        block = BasicTransformerBlock(inner, heads, head_dim, operations=operations, **factory_kwargs)
        for name in ("attn1", "attn2"):
            sizes = {"heads": heads, "dim_head": head_dim, "operations": operations, **factory_kwargs}
            attention = (
                RelativePositionAttention(inner, max_distance=max_distance, **sizes)
                if max_distance
                else FrameAttention(inner, **sizes)
            )
            setattr(block, name, attention)
        self.transformer_blocks = nn.ModuleList([block])
        self.proj_out = (
            operations.Linear(inner, channels, **factory_kwargs)
            if linear
            else operations.Conv1d(inner, channels, 1, **factory_kwargs)
        )

    @classmethod
    def like(cls, spatial: SpatialTransformer, **kwargs) -> TemporalTransformer:
        """A temporal transformer with the channels and heads of a spatial one, weights not set."""
        block = spatial.transformer_blocks[0]
        return cls(spatial.in_channels, block.n_heads, block.d_head, **kwargs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x (N, C, H, W) -> (N, C, H, W)."""
        video = self.norm(unfold_frames(x, running_frames()))
        tokens = self._projected(self.proj_in, rearrange(video, "b c f h w -> (b f) (h w) c"))
        for block in self.transformer_blocks:
            # Empty options: patches made
            # for spatial tokens (IPAdapter, attention couple) must not meet temporal ones.
            tokens = block(tokens, transformer_options={})
        tokens = self._projected(self.proj_out, tokens)
        return x + rearrange(tokens, "n (h w) c -> n c h w", h=x.shape[2])

    def _projected(self, projection: nn.Module, tokens: torch.Tensor) -> torch.Tensor:
        """tokens (N, P, C) -> (N, P, C')."""
        if self.use_linear:
            return projection(tokens)
        row = projection(tokens.flatten(0, 1).t()[None])[0]  # one product of matrices, not one for each image
        return row.t().unflatten(0, tokens.shape[:2])


class VideoUNet(UNetModel):
    """Core's UNet for batches that are videos:
    opens the forward in which its layers read their frames, checks the text's width.

    Subclasses add their layers after `super().__init__` with
    `replace_layers`, and make them with `**self.factory_kwargs`.
    """

    text_encoder = "OpenCLIP ViT-H (CLIP type stable_diffusion, as for SD2.x)"
    """What an error about a wrong text width tells a person to wire."""

    def __init__(self, *, context_dim: int, dtype=None, device=None, operations=OPERATIONS, **settings):
        settings = {"image_size": 32, "use_spatial_transformer": True, "legacy": False, **settings}
        operations = with_frame_convs(operations)
        super().__init__(
            context_dim=context_dim, dtype=dtype, device=device, operations=operations, **settings
        )
        self.context_dim = context_dim
        self.factory_kwargs = {"dtype": dtype, "device": device, "operations": operations}
        for layer in self.modules():
            if isinstance(layer, SpatialTransformer):
                for block in layer.transformer_blocks:
                    block.attn2 = TextAttention.like(block.attn2, **self.factory_kwargs)

    def replace_layers(self, layers_for: Callable[[nn.Module], Iterable[nn.Module]]) -> None:
        """Puts layers_for(layer) into the place of every layer of every block;
        blocks keep their numbers, which ControlNets count.
        """
        for blocks in (self.input_blocks, self.output_blocks):
            for index, block in enumerate(blocks):
                blocks[index] = TimestepEmbedSequential(
                    *(new for layer in block for new in layers_for(layer))
                )
        self.middle_block = TimestepEmbedSequential(
            *(new for layer in self.middle_block for new in layers_for(layer))
        )

    def _forward(
        self, x, timesteps=None, context=None, y=None, control=None, transformer_options=None, **kwargs
    ):
        """x (N, C, H, W), timesteps (N,), context (N, T, D) -> (N, C', H, W).
        Raises ValueError for a text of another width.
        """
        transformer_options = {} if transformer_options is None else transformer_options
        if context is not None and context.shape[-1] != self.context_dim:
            raise ValueError(
                f"this video network reads text of width {self.context_dim}, the conditioning has width"
                f" {context.shape[-1]}: it comes from the wrong text encoder; wire {self.text_encoder} into"
                " CLIP Text Encode."
            )
        with in_forward(self, x.shape[0], transformer_options) as forward:
            note_texts(forward, context)
            return super()._forward(x, timesteps, context, y, control, transformer_options, **kwargs)


def is_temporal(network: nn.Module, name: str) -> bool:
    """Whether a layer of a network, or what it is a part of, looks at several frames at once."""
    parts = name.split(".")
    above = (network.get_submodule(".".join(parts[:end])) for end in range(1, len(parts)))
    kinds = (TemporalTransformer, TemporalConv)
    return not _OVER_FRAMES.isdisjoint(parts) or any(isinstance(module, kinds) for module in above)
