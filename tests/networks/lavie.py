"""LaVie's networks in small, under their published key names, for the demo's text encoder."""

from __future__ import annotations

from functools import partial

import torch

from ...host.video_models.lavie import LOW_RESOLUTION, NOISE_AUGMENTATION
from ...video_unets.lavie.names import SHARED_ROTARY, LavieNames
from ...video_unets.lavie.network import LavieUNet
from ..gold_weights import gold_input
from .key_frames import FILLS_IN
from .video_network import VideoNetwork, gentle_weights, shapes_of_network

TEXT_WIDTH = 64
# Eight heads as published, because rotary positions take 32 channels of each.
_LAVIE = {
    "out_channels": 4,
    "model_channels": 256,
    "channel_mult": [1],
    "num_res_blocks": [1],
    "transformer_depth": [1],
    "transformer_depth_middle": 1,
    "transformer_depth_output": [1, 1],
    "context_dim": TEXT_WIDTH,
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


def tiny_lavie(kind: str, context_dim: int = TEXT_WIDTH) -> dict[str, torch.Tensor]:
    """What lavie_<kind>.pt holds, in small: the dictionary behind `ema`;
    context_dim is the width of the text.
    """
    network = LavieUNet(**_LAVIE | {"context_dim": context_dim}, **LAVIE[kind], device="meta")
    shapes = shapes_of_network(network)
    names = LavieNames(keys := _lavie_keys(kind == "vsr"))
    published = {key: shapes[name] for key in keys if (name := names.network_name(key)) in shapes}
    assert len(published) == len(shapes)
    weights = gentle_weights(published)
    rotary = {key: 10000.0 ** -torch.linspace(0, 1, 17)[:16] for key in weights if key.endswith("freqs")}
    shared = {SHARED_ROTARY: next(iter(rotary.values()))} if kind == "vsr" else {}
    return weights | rotary | shared


def _low_resolution(frames: int, latent: tuple[int, int, int]) -> dict:
    return {LOW_RESOLUTION: gold_input("low resolution", (frames, 3, *latent[1:])), NOISE_AUGMENTATION: 0.0}


def _network(kind: str, **more) -> VideoNetwork:
    tensors = partial(tiny_lavie, kind)
    return VideoNetwork(f"lavie_{kind}", tensors, TEXT_WIDTH, golden=f"lavie/{kind}_w64", **more)


NETWORKS = (
    _network("base", controlnets=True),
    _network("interpolation", controlnets=True, **FILLS_IN),
    _network("vsr", conditions=_low_resolution),
)
