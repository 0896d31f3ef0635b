"""Small LaVie and Show-1 networks under their published key names, for the demo's text encoder (64 wide)."""

from __future__ import annotations

import torch

from ...video_unets.lavie.names import SHARED_ROTARY, LavieNames
from ...video_unets.lavie.network import LavieUNet
from ...video_unets.show1.network import Show1UNet
from ..gold_weights import gold_tensor

TEXT = 64
# Heads are as published: eight in LaVie, whose rotary positions
# take 32 channels of each; heads of 64 channels in Show-1.
_LAVIE = {
    "out_channels": 4,
    "model_channels": 256,
    "channel_mult": [1],
    "num_res_blocks": [1],
    "transformer_depth": [1],
    "transformer_depth_middle": 1,
    "transformer_depth_output": [1, 1],
    "context_dim": TEXT,
    "num_heads": 8,
    "num_head_channels": -1,
    "adm_in_channels": None,
}
LAVIE = {
    "base": {
        "in_channels": 4,
        "use_linear_in_transformer": False,
        "num_classes": None,
        "positions": True,
        "temporal_modules": False,
    },
    "interpolation": {
        "in_channels": 8,
        "use_linear_in_transformer": False,
        "num_classes": None,
        "positions": False,
        "temporal_modules": False,
    },
    "vsr": {
        "in_channels": 7,
        "use_linear_in_transformer": True,
        "num_classes": 1000,
        "positions": True,
        "temporal_modules": True,
    },
}
SHOW1 = {"base": (3, False), "interpolation": (7, False), "sr1": (6, True)}

_RESNET = ("norm1", "conv1", "time_emb_proj", "norm2", "conv2", "conv_shortcut")
_BLOCK = (
    "norm1",
    "attn1.to_q",
    "attn1.to_k",
    "attn1.to_v",
    "attn1.to_out.0",
    "norm2",
    "attn2.to_q",
    "attn2.to_k",
    "attn2.to_v",
    "attn2.to_out.0",
    "{n}",
    "{a}.to_q",
    "{a}.to_k",
    "{a}.to_v",
    "{a}.to_out.0",
    "{a}.rotary_emb.freqs",
    "{a}.time_rel_pos_bias.relative_attention_bias",
    "norm3",
    "ff.net.0.proj",
    "ff.net.2",
)


def _lavie_keys(upscaler: bool) -> list[str]:
    """Every published name that a LaVie of one level with one layer can have."""
    outside = [
        "conv_in",
        "time_embedding.linear_1",
        "time_embedding.linear_2",
        "class_embedding",
        "conv_norm_out",
        "conv_out",
    ]
    resnets = [
        "down_blocks.0.resnets.0",
        "mid_block.resnets.0",
        "mid_block.resnets.1",
        "up_blocks.0.resnets.0",
        "up_blocks.0.resnets.1",
    ]
    attentions = [
        "down_blocks.0.attentions.0",
        "mid_block.attentions.0",
        "up_blocks.0.attentions.0",
        "up_blocks.0.attentions.1",
    ]
    names = {"n": "norm_temporal", "a": "attn_temporal"} if upscaler else {"n": "norm_temp", "a": "attn_temp"}
    blocks = [f"transformer_blocks.0.{part.format(**names)}" for part in _BLOCK]
    parts = [*outside, *(f"{r}.{p}" for r in resnets for p in _RESNET)]
    for attention in attentions:
        parts += [f"{attention}.{part}" for part in ("norm", "proj_in", "proj_out", *blocks)]
        parts += [f"{attention}.resblock_temporal.{part}" for part in _RESNET if upscaler]
    if upscaler:
        modules = ["down_temporal_blocks.0", "mid_temporal_block", "up_temporal_blocks.0"]
        parts += [f"{m}.resblocks_3d_{k}.{p}" for m in modules for k in "ts" for p in _RESNET] + [
            f"{m}.shift_conv" for m in modules
        ]
    return [f"{part}{end}" for part in parts for end in ("", ".weight", ".bias")]


def tiny_lavie(kind: str, context_dim: int = TEXT) -> dict[str, torch.Tensor]:
    """What lavie_<kind>.pt holds, in small: the dictionary
    behind `ema`; context_dim is the width of the text.
    """
    network = LavieUNet(**_LAVIE | {"context_dim": context_dim}, **LAVIE[kind], device="meta")
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    keys = _lavie_keys(kind == "vsr")
    names = LavieNames(keys)
    weights = {key: _weight(key, shapes[name]) for key in keys if (name := names.network_name(key)) in shapes}
    assert len(weights) == len(shapes)
    rotary = next((value for key, value in weights.items() if key.endswith("freqs")), None)
    return weights | ({SHARED_ROTARY: rotary} if kind == "vsr" else {})


def tiny_show1(kind: str) -> dict[str, torch.Tensor]:
    """What the unet of show-1-<kind> holds, in small."""
    in_channels, noise_levels = SHOW1[kind]
    network = Show1UNet(
        in_channels=in_channels,
        out_channels=6,
        channels=[64, 64],
        layers=[1, 1],
        attention=[False, True],
        emb_channels=64,
        text_dim=TEXT,
        context_dim=64,
        noise_levels=noise_levels,
        device="meta",
    )
    return {key: _weight(key, tuple(value.shape)) for key, value in network.state_dict().items()}


def _weight(key: str, shape: tuple[int, ...]) -> torch.Tensor:
    if key.endswith("rotary_emb.freqs"):
        return 10000.0 ** -torch.linspace(0, 1, 17)[:16]
    # The last layer is weak, so that sampling stays in the range of real latents.
    return gold_tensor(key, shape, 0.3 if key.startswith("conv_out") else 1.0)
