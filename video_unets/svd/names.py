"""From the names and shapes of Stable Video Diffusion's UNets, in the original's and in diffusers' layout, to
the network's, which are core's; and diffusers' names of its layers, which LoRAs use.

Source: github.com/huggingface/diffusers (UNetSpatioTemporalConditionModel) and
github.com/Stability-AI/generative-models (sgm VideoUNet), whose names ComfyUI keeps.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch

from ..core_shapes import HEAD_CHANNELS, block_settings
from ..diffusers_names import ATTENTION_LAYERS, RESNET_PARTS, DiffusersNames
from ..file_shapes import FileShapes, agreed_size
from ..systems import Shapes

_DIFFUSERS_EPS = 1e-6
_ALONE = {"add_embedding.linear_1": "label_emb.0.0", "add_embedding.linear_2": "label_emb.0.2"}
TEMPORAL_PART = re.compile(r"\.temporal_res_block\.(\w+)")
_POSITION_PART = re.compile(r"\.time_pos_embed\.linear_([12])")


class SVDNames:
    """The blocks of one diffusers UNet of Stable Video Diffusion,
    counted from its keys, and the core name of every key.
    """

    def __init__(self, keys: Iterable[str]):
        self._names = DiffusersNames(keys)

    def core_name(self, key: str) -> str | None:
        """The name of a key (or of a module, without `.weight`) in core's UNetModel;
        None for a key that has no place in it.

        'mid_block.resnets.0.temporal_res_block.conv1.bias' -> 'middle_block.0.time_stack.in_layers.2.bias'
        'mid_block.attentions.0.time_pos_embed.linear_2.bias' -> 'middle_block.1.time_pos_embed.2.bias'
        """
        for head, core in _ALONE.items():
            if (key + ".").startswith(head + "."):
                return core + key[len(head) :]
        # An image resnet is where diffusers' other UNets have one; what looks at frames hangs beside it.
        name = self._names.core_name(key.replace(".spatial_res_block.", "."))
        if name is None:
            return None
        name = TEMPORAL_PART.sub(lambda found: f".time_stack.{RESNET_PARTS.get(found[1], found[1])}", name)
        name = _POSITION_PART.sub(lambda found: f".time_pos_embed.{2 * (int(found[1]) - 1)}", name)
        return name.replace(".temporal_transformer_blocks.", ".time_stack.")


def svd_modules(num_res_blocks: Sequence[int], has_attention: Sequence[bool]) -> dict[str, str]:
    """{diffusers' module name: core's} of the layers with weights;
    both lists have one entry a level, full resolution first.
    """

    def block(name: str, resnets: int, attentions: int) -> list[str]:
        out = []
        for index in range(resnets):
            start = f"{name}.resnets.{index}"
            out += [
                f"{start}.{kind}_res_block.{layer}"
                for kind in ("spatial", "temporal")
                for layer in _RESNET_LAYERS
            ]
        return out + [
            f"{name}.attentions.{index}.{layer}"
            for index in range(attentions)
            for layer in _TRANSFORMER_LAYERS
        ]

    levels = list(zip(num_res_blocks, has_attention, strict=True))
    modules = [
        "conv_in",
        "conv_out",
        "time_embedding.linear_1",
        "time_embedding.linear_2",
        *_ALONE,
        *block("mid_block", 2, 1),
    ]
    for level, (count, attention) in enumerate(levels):
        modules += block(f"down_blocks.{level}", count, count * attention)
        modules += [f"down_blocks.{level}.downsamplers.0.conv"] if level + 1 < len(levels) else []
    for level, (count, attention) in enumerate(reversed(levels)):
        modules += block(f"up_blocks.{level}", count + 1, (count + 1) * attention)
        modules += [f"up_blocks.{level}.upsamplers.0.conv"] if level + 1 < len(levels) else []
    names = SVDNames(f"{module}." for module in modules)
    return {module: names.core_name(module) for module in modules}


_RESNET_LAYERS = ("conv1", "time_emb_proj", "conv2", "conv_shortcut")
_FEED_FORWARD = ("net.0.proj", "net.2")
_TRANSFORMER_LAYERS = (
    "proj_in",
    *(
        f"transformer_blocks.0.{layer}"
        for layer in (*ATTENTION_LAYERS, *(f"ff.{part}" for part in _FEED_FORWARD))
    ),
    *(
        f"temporal_transformer_blocks.0.{layer}"
        for layer in (
            *ATTENTION_LAYERS,
            *(f"{ff}.{part}" for ff in ("ff_in", "ff") for part in _FEED_FORWARD),
        )
    ),
    "time_pos_embed.linear_1",
    "time_pos_embed.linear_2",
    "proj_out",
)


def original_settings(shapes: Shapes) -> dict[str, Any]:
    """Arguments of SVDUNet from shapes under core's names.

    Raises ValueError for shapes that contradict each other and for a key that the file lacks.
    """
    vector, emb = "label_emb.0.0.weight", "label_emb.0.2.weight"
    agreed_size(shapes, {vector: 0, emb: 1, "time_embed.2.weight": 1})
    return {
        "in_channels": agreed_size(shapes, {"input_blocks.0.0.weight": 1}),
        "out_channels": agreed_size(shapes, {"out.2.weight": 0, "out.2.bias": 0}),
        "adm_in_channels": agreed_size(shapes, {vector: 1}),
        "num_head_channels": HEAD_CHANNELS,
        **block_settings(shapes),
    }


def diffusers_settings(shapes: FileShapes) -> dict[str, Any]:
    """As `original_settings`, from shapes under diffusers' names."""
    names = SVDNames(shapes)
    settings = original_settings(shapes.renamed(lambda key: names.core_name(key) or key))
    return settings | {"small_norm_eps": _DIFFUSERS_EPS}


def diffusers_to_network(state_dict: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """diffusers' key names -> core's; no shape differs."""
    return {core: state_dict[key] for core, key in diffusers_saved_names(state_dict).items()}


def diffusers_saved_names(published_keys: Iterable[str]) -> dict[str, str]:
    """{network's key: diffusers'}."""
    keys = list(published_keys)
    names = SVDNames(keys)
    return {names.core_name(key) or key: key for key in keys}
