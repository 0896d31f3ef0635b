"""From the names of LaVie's published files (those of diffusers) to the network's,
which are core's, and its sizes from shapes.

Source: github.com/Vchitect/LaVie, base/models/unet.py, interpolation/models/unet.py and vsr/models/unet.py.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from ..diffusers_names import DiffusersNames
from ..file_shapes import agreed_size
from ..systems import Shapes

HEADS = 8
"""Of every attention in the published files; their shapes do not tell."""
NOISE_LEVELS = 1000
"""That the upscaler has an embedding for; 350 are used."""
SHARED_ROTARY = "temporal_rotary_emb.freqs"
"""The upscaler's file names its one frequency tensor again outside the attentions."""

_LAYER = re.compile(r"(input_blocks\.\d+|middle_block|output_blocks\.\d+)\.(\d+)\.(.*)")
_TEMPORAL = re.compile(r"(down|mid|up)_temporal_block(?:s\.(\d+))?\.(.*)")
_IN_FEED_FORWARD = re.compile(r"(transformer_blocks\.\d+)\.(attn_temp|norm_temp|norm3)\.")


class LavieNames:
    """Translates the keys of one file; which blocks stand where is read from the file's keys."""

    def __init__(self, keys: Iterable[str]):
        keys = list(keys)
        self.names = DiffusersNames(keys)
        self.upscaler = any(_TEMPORAL.match(key) for key in keys)
        self.levels = _count(keys, r"down_blocks\.(\d+)\.")
        self.per_level = _count(keys, r"down_blocks\.\d+\.resnets\.(\d+)\.")
        self.layers: dict[str, int] = defaultdict(int)  # of every block, in an image UNet
        self.with_transformer: set[str] = set()
        for key in keys:
            if found := _LAYER.fullmatch(self.names.core_name(key) or ""):
                self.layers[found[1]] = max(self.layers[found[1]], int(found[2]) + 1)
                if "transformer_blocks." in found[3]:
                    self.with_transformer.add(found[1])

    def network_name(self, key: str) -> str:
        """The network's name for a published one; a key that LaVie does not have stays as it is.

        'mid_block.attentions.0.transformer_blocks.0.norm_temp.bias'
        -> 'middle_block.1.transformer_blocks.0.ff.norm_temp.bias'
        of the upscaler, whose transformers stand behind a residual block:
        'down_blocks.1.attentions.0.proj_in.bias' -> 'input_blocks.4.3.proj_in.bias'
        'down_temporal_blocks.0.shift_conv.bias' -> 'input_blocks.4.0.shift_conv.bias'
        """
        if found := _TEMPORAL.fullmatch(key):
            return f"{self._temporal_place(found[1], int(found[2] or 0))}.{found[3]}"
        key = key.replace(".attn_temporal.", ".attn_temp.").replace(".norm_temporal.", ".norm_temp.")
        name = _IN_FEED_FORWARD.sub(r"\1.ff.\2.", self.names.core_name(key) or key)
        if self.upscaler and (found := _LAYER.fullmatch(name)):
            return self._make_room(found[1], int(found[2]), found[3])
        return name

    def _behind_downsampler(self, block: str) -> bool:
        side, _, number = block.partition(".")
        return side == "input_blocks" and int(number) > 1 and int(number) % (self.per_level + 1) == 1

    def _make_room(self, block: str, layer: int, rest: str) -> str:
        """Places of the upscaler, which has two layers more: a temporal module in front of what follows a
        downsampler (what skips over is saved before it), and in front of every transformer a residual block
        over frames, which the file counts as the transformer's.
        """
        layer += block == "middle_block" or self._behind_downsampler(block)
        if rest.startswith("resblock_temporal."):
            return f"{block}.{layer}.{rest.removeprefix('resblock_temporal.')}"
        resblock = rest.startswith(("in_layers.", "out_layers.", "emb_layers.", "skip_connection."))
        second = resblock and block == "middle_block" and layer > 1
        layer += block in self.with_transformer and (second or not resblock)
        return f"{block}.{layer}.{rest}"

    def _temporal_place(self, side: str, level: int) -> str:
        """The block and layer of a temporal module of the file."""
        if side == "mid":
            return f"middle_block.{self.layers['middle_block'] + 2}"
        end = (level + 1) * (self.per_level + 1)
        if side == "down":
            return "middle_block.0" if level == self.levels - 1 else f"input_blocks.{end + 1}.0"
        block = f"output_blocks.{end - 1}"
        return f"{block}.{self.layers[block] + (block in self.with_transformer)}"


def _count(keys: Iterable[str], pattern: str) -> int:
    """How many numbers `pattern` (with one group) has among the keys, counted from 0."""
    return 1 + max((int(found[1]) for key in keys if (found := re.match(pattern, key))), default=-1)


def to_network(state_dict: Mapping) -> dict:
    """Published LaVie tensors under the network's names; values and shapes as they are."""
    names = LavieNames(state_dict)
    return {names.network_name(key): value for key, value in state_dict.items() if key != SHARED_ROTARY}


def saved_names(published: Iterable[str]) -> dict[str, str]:
    """{network's key: file's key} of a LaVie file with these keys."""
    return to_network({key: key for key in published})


def settings_from_shapes(shapes: Shapes) -> dict[str, Any]:
    """Arguments of LavieUNet, without its input channels, from a file's keys and shapes.

    Raises ValueError for shapes that contradict each other and for a key that the file lacks.
    """
    names = LavieNames(shapes)
    channels = agreed_size(
        shapes, {"conv_in.weight": 0, "time_embedding.linear_1.weight": 1, "conv_norm_out.weight": 0}
    )
    levels, per_level = range(names.levels), range(names.per_level)
    text = "mid_block.attentions.0.transformer_blocks.0.attn2"
    context_dim = agreed_size(shapes, {f"{text}.to_k.weight": 1, f"{text}.to_v.weight": 1})
    return {
        "out_channels": 4,
        "model_channels": channels,
        "channel_mult": [_width(shapes, level) // channels for level in levels],
        "num_res_blocks": [len(per_level)] * len(levels),
        "transformer_depth": [_has_attention(shapes, "down", i, j) for i in levels for j in per_level],
        "transformer_depth_middle": 1,
        # ComfyUI takes these from the end, deepest level first.
        "transformer_depth_output": [
            _has_attention(shapes, "up", i, j) for i in levels for j in (*per_level, len(per_level))
        ][::-1],
        "context_dim": context_dim,
        "num_heads": HEADS,
        "num_head_channels": -1,
        "use_linear_in_transformer": names.upscaler,
        "disable_self_attentions": [_looks_at_text_only(shapes, level) for level in levels]
        if names.upscaler
        else None,
        "num_classes": NOISE_LEVELS if names.upscaler else None,
        "adm_in_channels": None,
        "positions": any(".time_rel_pos_bias." in key for key in shapes),
        "temporal_modules": names.upscaler,
    }


def _width(shapes: Shapes, level: int) -> int:
    resnet = f"down_blocks.{level}.resnets.0"
    return agreed_size(shapes, {f"{resnet}.conv1.weight": 0, f"{resnet}.conv2.weight": 0})


def _has_attention(shapes: Shapes, side: str, level: int, index: int) -> int:
    return int(any(key.startswith(f"{side}_blocks.{level}.attentions.{index}.") for key in shapes))


def _looks_at_text_only(shapes: Shapes, level: int) -> bool:
    """Whether the first attention of a level reads the text: its keys are as wide as that, not as the level.

    Where both are equally wide (the deepest level) the published network looks at the image.
    """
    if not _has_attention(shapes, "down", level, 0):
        return False
    attention = f"down_blocks.{level}.attentions.0.transformer_blocks.0.attn1"
    return agreed_size(shapes, {f"{attention}.to_k.weight": 1, f"{attention}.to_v.weight": 1}) != _width(
        shapes, level
    )
