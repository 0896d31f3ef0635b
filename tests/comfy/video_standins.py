"""Small video networks under their published key names, with
seeded values: files for loaders, samplers and workflows in tests.
"""

from __future__ import annotations

import torch

from ...video_unets.modelscope.network import ModelScopeUNet
from ..gold_weights import gold_tensor

# 64 channels are one head of the published width; the text
# width is the published one, so that real text encoders fit.
TINY_MODELSCOPE = {
    "in_channels": 4,
    "out_channels": 4,
    "model_channels": 64,
    "channel_mult": [1, 1],
    "num_res_blocks": [1, 1],
    "transformer_depth": [1, 0],
    "transformer_depth_middle": 1,
    "transformer_depth_output": [1, 1, 0, 0],
    "context_dim": 1024,
    "num_head_channels": 64,
    "first_heads": 1,
}


def gentle(shapes, gain=0.3) -> dict[str, torch.Tensor]:
    """Seeded weights whose last layer is weak, so that sampling stays in the range of real latents."""
    return {
        key: gold_tensor(key, shape, gain if key.startswith("out.2") else 1.0)
        for key, shape in shapes.items()
    }


def modelscope_shapes(**changes) -> dict[str, tuple[int, ...]]:
    """Keys and shapes of a small ModelScopeT2V file in the
    original layout; changes are settings of its network.
    """
    network = ModelScopeUNet(**{**TINY_MODELSCOPE, **changes}, device="meta")
    return {key.replace(".0.op.", ".op."): tuple(value.shape) for key, value in network.state_dict().items()}


def tiny_modelscope(**changes) -> dict[str, torch.Tensor]:
    """A ModelScopeT2V in small, in the original layout: what text2video_pytorch_model.pth holds."""
    return gentle(modelscope_shapes(**changes))
