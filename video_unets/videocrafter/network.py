"""VideoCrafter 1 and 2 (text or image to video) and DynamiCrafter (image to video, interpolation, loops).

Source: Chen et al. 2023, arXiv 2310.19512 (VideoCrafter1); Chen et al. 2024, arXiv 2401.09047
(VideoCrafter2); Xing et al. 2023, arXiv 2310.12190 (DynamiCrafter). Details as in
github.com/AILab-CVC/VideoCrafter and github.com/Doubiiu/DynamiCrafter
(lvdm/modules/networks/openaimodel3d.py, lvdm/modules/attention.py). One network with optional parts: temporal
convolutions, relative positions, frame rate, image tokens, and for DynamiCrafter four more input channels
with the latent of an image.

Letters: B videos, F frames of a video in this call, N = B*F images, T tokens, D their width.
"""

from __future__ import annotations

import comfy.ops
import torch
from comfy.ldm.modules.attention import CrossAttention, SpatialTransformer, optimized_attention
from comfy.ldm.modules.diffusionmodules.openaimodel import ResBlock, TimestepEmbedSequential
from comfy.ldm.modules.diffusionmodules.util import timestep_embedding
from einops import rearrange
from torch import nn

from ...motion_modules.call import frames_in_call
from ..temporal_layers import OPERATIONS, TemporalConvResBlock, TemporalTransformer, VideoUNet

IMAGE_TOKENS = "zoetrope_image_tokens"
"""Where image tokens (N, T, D) are in transformer_options during a call."""
TOKENS_PER_FRAME = 16
"""DynamiCrafter's image tokens of one frame."""
INIT_HEADS = 8
"""Heads of the temporal transformer behind the first convolution, whatever its width."""


class ImageCrossAttention(CrossAttention):
    """Attention to the text plus attention of the same queries to image tokens,
    which have keys and values of their own.

    learned_scale: DynamiCrafter 256 weighs the image by tanh(alpha) + 1, the others by 1.
    """

    def __init__(
        self,
        query_dim: int,
        context_dim: int,
        heads: int,
        dim_head: int,
        learned_scale: bool = False,
        attn_precision=None,
        dtype=None,
        device=None,
        operations=OPERATIONS,
    ):
        factory_kwargs = {"dtype": dtype, "device": device}
        super().__init__(
            query_dim,
            context_dim,
            heads,
            dim_head,
            attn_precision=attn_precision,
            operations=operations,
            **factory_kwargs,
        )
        self.to_k_ip = operations.Linear(context_dim, heads * dim_head, bias=False, **factory_kwargs)
        self.to_v_ip = operations.Linear(context_dim, heads * dim_head, bias=False, **factory_kwargs)
        self.alpha = (
            nn.Parameter(torch.empty((), **factory_kwargs), requires_grad=False) if learned_scale else None
        )

    def forward(self, x, context=None, value=None, mask=None, transformer_options=None):
        """x (N, H*W, C), context (N, T, D) -> (N, H*W, C); the image tokens come with transformer_options."""
        tokens = transformer_options[IMAGE_TOKENS]
        q = self.to_q(x)
        text = self._attend(
            q, self.to_k(context), self.to_v(context if value is None else value), transformer_options, mask
        )
        image = self._attend(q, self.to_k_ip(tokens), self.to_v_ip(tokens), transformer_options)
        if self.alpha is not None:
            image = image * (torch.tanh(comfy.ops.cast_to_input(self.alpha, image)) + 1)
        return self.to_out(text + image)

    def _attend(self, q, k, v, transformer_options, mask=None):
        options = {"attn_precision": self.attn_precision, "transformer_options": transformer_options}
        return optimized_attention(q, k, v, self.heads, mask=mask, **options)


class FollowedBlock(TimestepEmbedSequential):
    """A block whose layers are followed by those of another module, which keeps its own key names."""

    def __init__(self, *layers: nn.Module, follower: TimestepEmbedSequential):
        super().__init__(*layers)
        self.followers = (follower,)  # in a tuple: not a child of this block

    def __iter__(self):
        yield from super().__iter__()
        for follower in self.followers:
            yield from follower


class VideoCrafterUNet(VideoUNet):
    """VideoCrafter's network.

    temporal_conv: a temporal convolution in every ResBlock. max_distance: of relative positions in time, 0 =
    none. has_fps: an embedded frame rate (or frame stride) is added to the timestep's. image_tokens: "" =
    none, "video" = the same for all frames, "frame" = TOKENS_PER_FRAME for each frame, which binds the
    network to the number of frames that the tokens were made for.
    """

    def __init__(
        self,
        *,
        num_head_channels: int,
        temporal_conv: bool,
        max_distance: int,
        has_fps: bool,
        image_tokens: str = "",
        learned_image_scale: bool = False,
        **settings,
    ):
        super().__init__(
            num_heads=-1, num_head_channels=num_head_channels, use_linear_in_transformer=True, **settings
        )
        self.temporal_conv = temporal_conv
        self.max_distance = max_distance
        self.image_tokens = image_tokens
        self.learned_image_scale = learned_image_scale
        self.replace_layers(self._with_time)
        first = TemporalTransformer(
            self.model_channels,
            INIT_HEADS,
            num_head_channels,
            max_distance=max_distance,
            **self.factory_kwargs,
        )
        self.init_attn = TimestepEmbedSequential(first)
        self.input_blocks[0] = FollowedBlock(*self.input_blocks[0], follower=self.init_attn)
        self.fps_embedding = self._embedding() if has_fps else None

    def _embedding(self) -> nn.Sequential:
        factory_kwargs = dict(self.factory_kwargs)
        linear, width = factory_kwargs.pop("operations").Linear, 4 * self.model_channels
        return nn.Sequential(
            linear(self.model_channels, width, **factory_kwargs),
            nn.SiLU(),
            linear(width, width, **factory_kwargs),
        )

    def _with_time(self, layer: nn.Module) -> list[nn.Module]:
        if isinstance(layer, ResBlock) and self.temporal_conv:
            return [TemporalConvResBlock.like(layer, **self.factory_kwargs)]
        if isinstance(layer, SpatialTransformer):
            if self.image_tokens:
                self._attend_to_image(layer)
            time = {"linear": True, "max_distance": self.max_distance}
            return [layer, TemporalTransformer.like(layer, **time, **self.factory_kwargs)]
        return [layer]

    def _attend_to_image(self, transformer: SpatialTransformer) -> None:
        """Lets a transformer's blocks look at image tokens where they look at the text, in place."""
        for block in transformer.transformer_blocks:
            block.attn2 = ImageCrossAttention(
                block.n_heads * block.d_head,
                self.context_dim,
                block.n_heads,
                block.d_head,
                self.learned_image_scale,
                block.attn_precision,
                **self.factory_kwargs,
            )

    def _forward(
        self,
        x,
        timesteps=None,
        context=None,
        y=None,
        control=None,
        transformer_options=None,
        *,
        fps=None,
        image_tokens=None,
        **kwargs,
    ):
        """As VideoUNet; fps (B,) or (N,) frames per second or frame stride, image_tokens (B, T, D).

        Raises ValueError when one is missing that the network needs, or belongs to another number of frames.
        """
        options = dict(transformer_options or {})
        num_frames = frames_in_call(x.shape[0], options)
        if x.shape[1] != self.in_channels:
            raise ValueError(
                f"this network reads {self.in_channels} channels and got {x.shape[1]}: its image is missing;"
                " put one of Zoetrope's image-to-video conditioning nodes between the prompts and the"
                " sampler."
            )
        if self.image_tokens:
            options[IMAGE_TOKENS] = self._tokens_of_frames(image_tokens, num_frames, x)
        if self.fps_embedding is not None:
            patches = options.get("patches", {})
            options["patches"] = {
                **patches,
                "emb_patch": [*patches.get("emb_patch", []), self._fps_patch(fps, x.shape[0])],
            }
        return super()._forward(x, timesteps, context, y, control, options, **kwargs)

    def _fps_patch(self, fps: torch.Tensor | None, num_images: int):
        if fps is None:
            raise ValueError(
                "this network needs a frame rate; wire Zoetrope's frame rate or image-to-video conditioning"
                " node."
            )
        rows = fps.reshape(-1).repeat_interleave(num_images // fps.numel())

        def add_fps(emb, model_channels, transformer_options):
            return emb + self.fps_embedding(timestep_embedding(rows, model_channels).to(emb.dtype))

        return add_fps

    def _tokens_of_frames(
        self, tokens: torch.Tensor | None, num_frames: int, x: torch.Tensor
    ) -> torch.Tensor:
        if tokens is None:
            raise ValueError(
                "this network makes a video of an image and got none; put one of Zoetrope's image-to-video"
                " conditioning nodes between the prompts and the sampler."
            )
        if self.image_tokens == "video":
            return tokens.to(x.dtype).repeat_interleave(num_frames, 0)
        trained = tokens.shape[1] // TOKENS_PER_FRAME
        if trained != num_frames:
            raise ValueError(
                f"this network makes exactly {trained} frames at a time and got {num_frames}; give the latent"
                f" {trained} frames, or for longer videos add Zoetrope's node 'Context Windows' with"
                f" context_length={trained} and context_schedule=standard_static, whose windows are all full."
            )
        return rearrange(tokens.to(x.dtype), "b (f t) d -> (b f) t d", t=TOKENS_PER_FRAME)
