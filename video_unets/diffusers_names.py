"""Key names of diffusers' UNets as those of ComfyUI's own UNetModel, by rule instead of a table.

Source: github.com/huggingface/diffusers (UNet2DConditionModel,
UNet3DConditionModel: `down_blocks.D.resnets.R`, `temp_convs`, ...), and
ComfyUI's comfy/ldm/modules/diffusionmodules/openaimodel.py (`input_blocks.N.M`).

Blocks are counted from the keys themselves: how many resnets a level has, and whether it has spatial
(`attentions`) or temporal (`temp_attentions`) transformers, which move the upsampler's place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_BLOCK = re.compile(
    r"^(down_blocks|up_blocks)\.(\d+)\.(resnets|attentions|temp_attentions|temp_convs|downsamplers|upsamplers)\.(\d+)\.(.*)$"
)
_MID = re.compile(r"^mid_block\.(resnets|attentions|temp_attentions|temp_convs)\.(\d+)\.(.*)$")

RESNET_PARTS = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_ALONE = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "conv_in": "input_blocks.0.0",
    "transformer_in": "input_blocks.0.1",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
    "class_embedding": "label_emb",
}


class DiffusersNames:
    """The blocks of one diffusers UNet, counted from its keys, and the core name of every key."""

    def __init__(self, keys: Iterable[str]):
        self._resnets: dict[tuple[str, int], int] = {}
        self._parts: set[tuple[str, int, str]] = set()
        self._mid_parts: set[str] = set()
        for key in keys:
            if found := _BLOCK.match(key):
                side, level, part, index = found[1], int(found[2]), found[3], int(found[4])
                self._parts.add((side, level, part))
                if part == "resnets":
                    self._resnets[side, level] = max(self._resnets.get((side, level), 0), index + 1)
            elif found := _MID.match(key):
                self._mid_parts.add(found[1])

    def core_name(self, key: str) -> str | None:
        """The name of a key (or of a module, without `.weight`) in core's UNetModel;
        None for a key that has no place in it.

        With two resnets a level, and transformers on both levels:
        'down_blocks.0.resnets.1.conv1.weight' -> 'input_blocks.2.0.in_layers.2.weight'
        'down_blocks.0.downsamplers.0.conv.bias' -> 'input_blocks.3.0.op.bias'
        'down_blocks.1.attentions.0.proj_in.bias' -> 'input_blocks.4.1.proj_in.bias'
        'mid_block.resnets.1.norm1.weight' -> 'middle_block.2.in_layers.0.weight'
        'up_blocks.0.upsamplers.0.conv.bias' -> 'output_blocks.2.2.conv.bias'
        """
        if found := _BLOCK.match(key + "."):
            name = self._in_block(found[1], int(found[2]), found[3], int(found[4]), found[5])
        elif found := _MID.match(key + "."):
            name = self._in_middle(found[1], int(found[2]), found[3])
        else:
            head = next((head for head in _ALONE if (key + ".").startswith(head + ".")), None)
            name = None if head is None else _ALONE[head] + (key + ".")[len(head) :]
        return None if name is None else name.removesuffix(".")

    def _in_block(self, side: str, level: int, part: str, index: int, tail: str) -> str:
        before = sum(count for (other, at), count in self._resnets.items() if other == side and at < level)
        if side == "down_blocks":
            # One block of core's for every resnet and one for every downsampler,
            # behind the first convolution's.
            first = 1 + before + sum(1 for at in range(level) if (side, at, "downsamplers") in self._parts)
            block = "input_blocks"
        else:
            first, block = before, "output_blocks"
        if part == "downsamplers":
            return f"{block}.{first + self._resnets.get((side, level), 0)}.0.{re.sub('^conv', 'op', tail)}"
        if part == "upsamplers":
            last = first + self._resnets.get((side, level), 1) - 1
            layers = 1 + sum((side, level, kind) in self._parts for kind in ("attentions", "temp_attentions"))
            return f"{block}.{last}.{layers}.{tail}"
        layer, rest = _layer(part, (side, level, "attentions") in self._parts, tail)
        return f"{block}.{first + index}.{layer}.{rest}"

    def _in_middle(self, part: str, index: int, tail: str) -> str:
        layer, rest = _layer(part, "attentions" in self._mid_parts, tail)
        if layer == 0 and index > 0:
            layer = 1 + sum(kind in self._mid_parts for kind in ("attentions", "temp_attentions"))
        return f"middle_block.{layer}.{rest}"


def _layer(part: str, has_spatial: bool, tail: str) -> tuple[int, str]:
    """Which layer of a core block a part of a diffusers block is,
    and the rest of the name inside that layer.

    ('resnets', _, 'norm2.bias') -> (0, 'out_layers.0.bias'); behind a spatial transformer
    ('temp_attentions', True, 'proj_in.bias') -> (2, 'proj_in.bias')
    """
    if part == "resnets":
        head, _, rest = tail.partition(".")
        return 0, f"{RESNET_PARTS.get(head, head)}.{rest}"
    if part == "temp_convs":
        return 0, f"temopral_conv.{tail}"
    return 1 + (has_spatial and part == "temp_attentions"), tail


_RESNET_LAYERS = ("conv1", "time_emb_proj", "conv2", "conv_shortcut")
_TEMPORAL_CONV_LAYERS = ("conv1.2", "conv2.3", "conv3.3", "conv4.3")
ATTENTION_LAYERS = tuple(f"attn{n}.{layer}" for n in (1, 2) for layer in ("to_q", "to_k", "to_v", "to_out.0"))
_TRANSFORMER_LAYERS = (
    "proj_in",
    *(f"transformer_blocks.0.{layer}" for layer in (*ATTENTION_LAYERS, "ff.net.0.proj", "ff.net.2")),
    "proj_out",
)


def unet3d_modules(num_res_blocks: list[int], has_attention: list[bool]) -> list[str]:
    """Names of the linear and convolution layers of diffusers' UNet3DConditionModel,
    in the order in which it registers them.

    Both lists have one entry a level, full resolution first. `conv_shortcut` is named for every resnet,
    whether it has one or not.

    ([1, 1], [True, False]) -> 'conv_in', ..., 'down_blocks.0.resnets.0.conv1', ...,
    'down_blocks.0.attentions.0.proj_in', ..., 'down_blocks.0.downsamplers.0.conv', ..., 'conv_out'
    """

    def block(name: str, count: int, attention: bool) -> list[str]:
        parts = {"resnets": _RESNET_LAYERS, "temp_convs": _TEMPORAL_CONV_LAYERS}
        if attention:
            parts |= {"attentions": _TRANSFORMER_LAYERS, "temp_attentions": _TRANSFORMER_LAYERS}
        return [
            f"{name}.{part}.{n}.{layer}"
            for part, layers in parts.items()
            for n in range(min(count, 1) if name == "mid_block" and "attentions" in part else count)
            for layer in layers
        ]

    levels = list(zip(num_res_blocks, has_attention, strict=True))
    names = [
        "conv_in",
        "time_embedding.linear_1",
        "time_embedding.linear_2",
        *(f"transformer_in.{x}" for x in _TRANSFORMER_LAYERS),
    ]
    for level, (count, attention) in enumerate(levels):
        names += block(f"down_blocks.{level}", count, attention)
        names += [f"down_blocks.{level}.downsamplers.0.conv"] if level + 1 < len(levels) else []
    for level, (count, attention) in enumerate(reversed(levels)):
        names += block(f"up_blocks.{level}", count + 1, attention)
        names += [f"up_blocks.{level}.upsamplers.0.conv"] if level + 1 < len(levels) else []
    return [*names, *block("mid_block", 2, True), "conv_out"]


def unet3d_names(num_res_blocks: Sequence[int], has_attention: Sequence[bool]) -> dict[str, str]:
    """{name of a layer of `unet3d_modules`: core's}, in the order in which diffusers registers them."""
    modules = unet3d_modules(list(num_res_blocks), list(has_attention))
    names = DiffusersNames(f"{module}." for module in modules)
    return {module: names.core_name(module) for module in modules}
