"""ModelScopeT2V and its finetunes (ZeroScope v2, Potat1, Animov),
and Show-1's last stage: text to video in SD2.1's latent space.

Source: Wang et al. 2023, arXiv 2308.06571; github.com/modelscope/modelscope (video_synthesis/unet_sd.py)
fixes the original key names, diffusers' UNet3DConditionModel the others. Every ResBlock has a temporal
convolution, every spatial transformer a temporal one behind it, and one more temporal transformer follows the
first convolution. Any number of frames runs; 16 were trained (ZeroScope: 24).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from comfy.ldm.modules.attention import SpatialTransformer
from comfy.ldm.modules.diffusionmodules.openaimodel import ResBlock

from ..diffusers_names import DiffusersNames
from ..file_shapes import FileShapes, agreed_size
from ..systems import Sampling, Shapes, VideoSystem
from ..temporal_layers import TemporalConvResBlock, TemporalTransformer, VideoUNet

HEAD_CHANNELS = 64  # of every attention head, in all published files
MEMORY = 1.3
"""What benchmarks/video_memory.py counts and a quarter more, as core expects for Stable Diffusion 1.5."""
_BARE_DOWNSAMPLER = re.compile(r"^(input_blocks\.\d+)\.op\.")


class ModelScopeUNet(VideoUNet):
    """UNetSD: first_heads are those of the temporal transformer
    behind the first convolution, all heads have head_dim channels.
    """

    def __init__(self, *, num_head_channels: int, first_heads: int = 8, **settings):
        super().__init__(
            num_heads=-1, num_head_channels=num_head_channels, use_linear_in_transformer=True, **settings
        )
        self.replace_layers(self._with_time)
        self.input_blocks[0].append(
            TemporalTransformer(self.model_channels, first_heads, num_head_channels, **self.made_with)
        )

    def _with_time(self, layer: torch.nn.Module) -> list[torch.nn.Module]:
        if isinstance(layer, ResBlock):
            return [TemporalConvResBlock.like(layer, **self.made_with)]
        if isinstance(layer, SpatialTransformer):
            return [layer, TemporalTransformer.like(layer, **self.made_with)]
        return [layer]


def _network() -> type:
    return ModelScopeUNet


def _is_original(shapes: Shapes) -> bool:
    """A temporal transformer right behind the first convolution, under the original's names."""
    return any(key.startswith("input_blocks.0.1.") for key in shapes) and any(
        re.match(r"input_blocks\.\d+\.0\.temopral_conv\.", key) for key in shapes
    )


def _is_diffusers(shapes: Shapes) -> bool:
    """UNet3DConditionModel; Show-1's pixel networks have `encoder_hid_proj` besides."""
    return (
        any(key.startswith("transformer_in.") for key in shapes)
        and any(".temp_convs." in key for key in shapes)
        and not any(key.startswith("encoder_hid_proj.") for key in shapes)
    )


def original_settings(shapes: Shapes) -> dict[str, Any]:
    """Constructor arguments of ModelScopeUNet from shapes under
    the original names (downsamplers with or without `.0`).
    """
    latent_channels = agreed_size(shapes, {"input_blocks.0.0.weight": 1, "out.2.weight": 0})
    return {
        "in_channels": latent_channels,
        "out_channels": latent_channels,
        **block_settings(shapes),
        **_heads(shapes),
    }


def block_settings(shapes: Shapes) -> dict[str, Any]:
    """Widths, depths and the text's width of a network with the
    blocks of core's UNetModel, from shapes under core's names.
    """
    channels = agreed_size(
        shapes, {"input_blocks.0.0.weight": 0, "time_embed.0.weight": 1, "out.0.weight": 0, "out.2.weight": 1}
    )
    levels = _input_levels(shapes)
    outputs = {int(key.split(".")[1]) for key in shapes if key.startswith("output_blocks.")}
    attention = "middle_block.1.transformer_blocks.0.attn2"
    return {
        "model_channels": channels,
        "channel_mult": [_block_channels(shapes, level[0]) // channels for level in levels],
        "num_res_blocks": [len(level) for level in levels],
        "transformer_depth": [
            _has_attention(shapes, f"input_blocks.{block}") for level in levels for block in level
        ],
        "transformer_depth_middle": 1,
        "transformer_depth_output": [
            _has_attention(shapes, f"output_blocks.{block}") for block in sorted(outputs, reverse=True)
        ],
        "context_dim": agreed_size(shapes, {f"{attention}.to_k.weight": 1, f"{attention}.to_v.weight": 1}),
        # as core does for the SD2.x networks these grew from: float16 overflows there
        "attn_precision": torch.float32,
    }


def _input_levels(shapes: Shapes) -> list[list[int]]:
    """The numbers of the input blocks that hold a ResBlock, by
    level; a downsampler takes the number between two levels.
    """
    blocks = {
        int(found[1]) for key in shapes if (found := re.match(r"input_blocks\.(\d+)\.0\.in_layers\.", key))
    }
    levels: list[list[int]] = []
    for block in sorted(blocks):
        if block - 1 not in blocks:
            levels.append([])
        levels[-1].append(block)
    return levels


def _block_channels(shapes: Shapes, block: int) -> int:
    name = f"input_blocks.{block}.0"
    return agreed_size(shapes, {f"{name}.in_layers.2.weight": 0, f"{name}.out_layers.3.weight": 0})


def _has_attention(shapes: Shapes, block: str) -> int:
    return int(any(key.startswith(f"{block}.1.transformer_blocks.") for key in shapes))


def _heads(shapes: Shapes) -> dict[str, int]:
    """Shapes tell heads times channels only."""
    inner = agreed_size(shapes, {"input_blocks.0.1.proj_in.weight": 0, "input_blocks.0.1.proj_out.weight": 1})
    return {"num_head_channels": HEAD_CHANNELS, "first_heads": inner // HEAD_CHANNELS}


def diffusers_settings(shapes: FileShapes) -> dict[str, Any]:
    """Constructor arguments of ModelScopeUNet from shapes under diffusers' names."""
    names = DiffusersNames(shapes)
    return original_settings(shapes.renamed(lambda key: names.core_name(key) or key))


def original_to_network(state_dict: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Original key names -> the network's: its downsamplers stand alone in their block."""
    return {_BARE_DOWNSAMPLER.sub(r"\1.0.op.", key): value for key, value in state_dict.items()}


def diffusers_to_network(state_dict: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """diffusers' key names -> the network's; its temporal
    projections are Linear (O, I) and become Conv1d (O, I, 1).
    """
    names = DiffusersNames(state_dict)
    out = {}
    for key, value in state_dict.items():
        temporal = "temp_attentions." in key or key.startswith("transformer_in.")
        if temporal and key.endswith(("proj_in.weight", "proj_out.weight")):
            value = value.unsqueeze(-1)
        out[names.core_name(key) or key] = value
    return out


def _sampling(tensors: Mapping) -> Sampling:
    return Sampling()


SYSTEMS = (
    VideoSystem(
        name="modelscope",
        title="ModelScopeT2V or ZeroScope (original layout)",
        prefix="",
        claims=_is_original,
        network=_network,
        settings=original_settings,
        to_network=original_to_network,
        sampling=_sampling,
        memory_usage_factor=MEMORY,
        num_frames=16,
    ),
    VideoSystem(
        name="modelscope_diffusers",
        title="ModelScopeT2V, ZeroScope, Potat1, Animov or Show-1's last stage (diffusers layout)",
        prefix="",
        claims=_is_diffusers,
        network=_network,
        settings=diffusers_settings,
        to_network=diffusers_to_network,
        sampling=_sampling,
        memory_usage_factor=MEMORY,
        num_frames=16,
    ),
)
