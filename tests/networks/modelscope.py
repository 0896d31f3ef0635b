"""ModelScopeT2V in small, under its published key names in both layouts."""

from __future__ import annotations

import torch

from ...video_unets.modelscope.network import ModelScopeUNet
from .golden_cases import golden_shapes
from .video_network import VideoNetwork, gentle_weights, shapes_of_network

TEXT_WIDTH = 1024
"""As published, so that real text encoders fit."""
DIFFUSERS_GOLDEN, GOLDEN_CONTEXT = "diffusers_unet3d/unet3d_w64", 48
# 64 channels are one head of the published width.
TINY_MODELSCOPE = {
    "in_channels": 4,
    "out_channels": 4,
    "model_channels": 64,
    "channel_mult": [1, 1],
    "num_res_blocks": [1, 1],
    "transformer_depth": [1, 0],
    "transformer_depth_middle": 1,
    "transformer_depth_output": [1, 1, 0, 0],
    "context_dim": TEXT_WIDTH,
    "num_head_channels": 64,
    "first_heads": 1,
}


def modelscope_shapes(**changes) -> dict[str, tuple[int, ...]]:
    """Keys and shapes of a file in the original layout; changes are settings of its network."""
    network = ModelScopeUNet(**{**TINY_MODELSCOPE, **changes}, device="meta")
    return {key.replace(".0.op.", ".op."): shape for key, shape in shapes_of_network(network).items()}


def tiny_modelscope(**changes) -> dict[str, torch.Tensor]:
    """What text2video_pytorch_model.pth holds, in small."""
    return gentle_weights(modelscope_shapes(**changes))


def tiny_diffusers() -> dict[str, torch.Tensor]:
    """What diffusion_pytorch_model.bin of diffusers' layout holds, in small: the golden network's shapes."""
    return gentle_weights(golden_shapes(DIFFUSERS_GOLDEN, {GOLDEN_CONTEXT: TEXT_WIDTH}))


NETWORKS = (
    VideoNetwork("modelscope", tiny_modelscope, TEXT_WIDTH, controlnets=True, golden="modelscope/unetsd_w64"),
    VideoNetwork(
        "modelscope_diffusers", tiny_diffusers, TEXT_WIDTH, controlnets=True, golden=DIFFUSERS_GOLDEN
    ),
)
