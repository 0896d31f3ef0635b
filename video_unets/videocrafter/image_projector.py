"""What turns CLIP's view of an image into tokens that VideoCrafter's and DynamiCrafter's networks attend to.

Source: the resampler of IP-Adapter (Ye et al. 2023, arXiv 2308.06721) after Flamingo (Alayrac et al. 2022,
arXiv 2204.14198), as in github.com/Doubiiu/DynamiCrafter (lvdm/modules/encoders/resampler.py); keys are those
of `image_proj_model.*` in the published files.

Letters: B images, P patches seen by CLIP, Q tokens made of them, D their width.
"""

from __future__ import annotations

from typing import Any

import comfy.ops
import torch
from comfy.ldm.modules.attention import optimized_attention
from torch import nn

from ..file_shapes import agreed_size
from ..systems import Shapes

OPERATIONS = comfy.ops.disable_weight_init


class PerceiverAttention(nn.Module):
    """Learned queries look at the image's patches and at each other."""

    def __init__(self, width: int, inner: int, heads: int, dtype=None, device=None, operations=OPERATIONS):
        super().__init__()
        factory_kwargs = {"dtype": dtype, "device": device}
        self.heads = heads
        self.norm1 = operations.LayerNorm(width, **factory_kwargs)
        self.norm2 = operations.LayerNorm(width, **factory_kwargs)
        self.to_q = operations.Linear(width, inner, bias=False, **factory_kwargs)
        self.to_kv = operations.Linear(width, 2 * inner, bias=False, **factory_kwargs)
        self.to_out = operations.Linear(inner, width, bias=False, **factory_kwargs)

    def forward(self, patches: torch.Tensor, queries: torch.Tensor) -> torch.Tensor:
        """patches (B, P, width), queries (B, Q, width) -> (B, Q, width)."""
        patches, queries = self.norm1(patches), self.norm2(queries)
        k, v = self.to_kv(torch.cat([patches, queries], dim=1)).chunk(2, dim=-1)
        return self.to_out(optimized_attention(self.to_q(queries), k, v, self.heads))


class ImageProjector(nn.Module):
    """CLIP ViT-H's last hidden state, before its final norm, to the image tokens of a network.

    num_queries: all tokens of an image; DynamiCrafter's has 16 for each of its 16 frames, frame by frame.
    """

    def __init__(
        self,
        *,
        width: int,
        depth: int,
        inner: int,
        num_queries: int,
        clip_width: int,
        out_width: int,
        ff_width: int,
        head_dim: int = 64,
        dtype=None,
        device=None,
        operations=OPERATIONS,
    ):
        super().__init__()
        factory_kwargs = {"dtype": dtype, "device": device}
        self.latents = nn.Parameter(torch.empty(1, num_queries, width, **factory_kwargs), requires_grad=False)
        self.proj_in = operations.Linear(clip_width, width, **factory_kwargs)
        self.proj_out = operations.Linear(width, out_width, **factory_kwargs)
        self.norm_out = operations.LayerNorm(out_width, **factory_kwargs)
        self.layers = nn.ModuleList(
            nn.ModuleList(
                [
                    PerceiverAttention(
                        width, inner, inner // head_dim, operations=operations, **factory_kwargs
                    ),
                    nn.Sequential(
                        operations.LayerNorm(width, **factory_kwargs),
                        operations.Linear(width, ff_width, bias=False, **factory_kwargs),
                        nn.GELU(),
                        operations.Linear(ff_width, width, bias=False, **factory_kwargs),
                    ),
                ]
            )
            for _ in range(depth)
        )

    def forward(self, hidden_state: torch.Tensor) -> torch.Tensor:
        """hidden_state (B, P, clip_width) -> image tokens (B, Q, D)."""
        patches = self.proj_in(hidden_state)
        queries = comfy.ops.cast_to_input(self.latents, patches).expand(patches.shape[0], -1, -1)
        for attention, feed_forward in self.layers:
            queries = queries + attention(patches, queries)
            queries = queries + feed_forward(queries)
        return self.norm_out(self.proj_out(queries))


def projector_settings(shapes: Shapes) -> dict[str, Any]:
    """Constructor arguments of ImageProjector from the shapes of `image_proj_model.*` without that prefix."""
    first = "layers.0.0."
    return {
        "width": agreed_size(shapes, {"latents": 2, "proj_in.weight": 0, "proj_out.weight": 1}),
        "depth": len({key.split(".")[1] for key in shapes if key.startswith("layers.")}),
        "inner": agreed_size(shapes, {f"{first}to_q.weight": 0, f"{first}to_out.weight": 1}),
        "num_queries": shapes["latents"][1],
        "clip_width": shapes["proj_in.weight"][1],
        "out_width": agreed_size(shapes, {"proj_out.weight": 0, "proj_out.bias": 0, "norm_out.weight": 0}),
        "ff_width": agreed_size(shapes, {"layers.0.1.1.weight": 0, "layers.0.1.3.weight": 1}),
    }
