"""MotionLoRA: low-rank changes of a motion module's layers, for example a camera movement, by any trainer.

Source: Guo et al. 2023, arXiv 2307.04725, section 4.3; github.com/guoyww/AnimateDiff: W += up @ down.
Hu et al. 2021, arXiv 2106.09685, section 4.1: where a file says alpha, W += alpha / rank * up @ down.

One half of a pair in the files of five trainers; S is down_blocks.0.motion_modules.0, B transformer_blocks.0:
    AnimateDiff      S.temporal_transformer.B.attention_blocks.0.processor.to_q_lora.up.weight
    MotionDirector   S.temporal_transformer.B.ff.net.0.processor.proj_lora.up.weight
    diffusers        unet.S.B.attn1.to_q.lora.up.weight
    PEFT             base_model.model.S.B.attn1.to_q.lora_B.default.weight
    kohya            lora_unet_down_blocks_0_motion_modules_0_transformer_blocks_0_attn1_to_q.lora_up.weight
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch

from ...foreign_text import printable
from ..file_tensors import describe_keys, plain_tensors, refuse_broken_numbers

# A dot, or the underscore that kohya's scripts put in its place.
_KEY = re.compile(
    r"^(?:.*?[._])?(?:(?P<level>down_blocks|up_blocks)[._](?P<index>\d+)|mid_block)[._]"
    r"motion_modules[._](?P<number>\d+)[._](?:temporal_transformer[._])?(?P<rest>.+)$"
)
_LAYER = re.compile(
    r"^(?:transformer_blocks[._](?P<block>\d+)[._](?:"
    r"(?:attention_blocks[._](?P<attention>\d+)|attn(?P<attn>[12]))[._]"
    r"(?P<target>to_q|to_k|to_v|to_out(?:[._]0)?)"
    r"|ff[._]net[._](?P<ff>0[._]proj|2))"
    r"|(?P<projection>proj_in|proj_out))(?P<suffix>[._].+)$"
)
_HALF = re.compile(r"^[._]lora(?:_linear_layer)?[._](?P<side>up|down|A|B)(?:(?:\.(?!bias\.)\w+)?\.weight)?$")
_ALPHA = re.compile(r"^[._](?:lora[._])?alpha$")
_SIDES = {"A": "down", "B": "up"}
_PART = {"to_q": 0, "to_k": 1, "to_v": 2}
_TABLE = re.compile(r"pos_(?:encoder|embed)[._]pe$")  # a copy of the position table that some files carry
_OTHER_KINDS: tuple[tuple[str, str], ...] = (
    (r"dora_scale|magnitude_vector", "DoRA"),
    (r"[._]hada_", "LoHa"),
    (r"[._]lokr_", "LoKr"),
    (r"[._]b?oft_", "OFT"),
    (r"[._](?:diff|diff_b|set_weight|[wb]_norm)$", "whole differences"),
    (r"lora.*bias", "LoRA with biases"),
    (r"lora", "LoRA of layers or names that are not known here"),
)


@dataclass(frozen=True)
class LowRankChange:
    """A changed weight of a `MotionModel`: `key` += scale * up @ down, up (rows, rank), down (rank, columns).

    part: the rows part*C to (part+1)*C of a fused weight only; None for all rows.
    """

    key: str
    part: int | None
    up: torch.Tensor
    down: torch.Tensor
    alpha: float | None = None

    @property
    def scale(self) -> float:
        """alpha / rank, 1 in files without an alpha."""
        return 1.0 if self.alpha is None else self.alpha / self.down.shape[0]


def read_motion_lora(
    raw: Mapping, file_name: str = "this file", file_alpha: float | None = None
) -> list[LowRankChange]:
    """The changes that a MotionLoRA file makes to a motion module's layers, whichever trainer wrote it.

    file_alpha: the alpha of pairs that have none of their own, where the file says it beside its tensors.
    Raises ValueError when the file is something else, has half of a pair, ranks that do not match, numbers
    that are not finite, or changes of a motion module that this function does not know.
    """
    tensors = plain_tensors(raw)
    found: dict[tuple[str, int | None], dict[str, torch.Tensor]] = {}
    unknown = []
    for key, value in tensors.items():
        if (match := _KEY.match(key)) is None or _TABLE.search(key):
            continue
        layer, kind = _layer_and_kind(match)
        if layer is None or kind is None:
            unknown.append(key)
        elif found.setdefault(layer, {}).setdefault(kind, value) is not value:
            raise ValueError(
                f"'{printable(file_name)}' has two changes of the same weights, the second is "
                f"'{printable(key)}'; save one LoRA to one file."
            )
    if unknown or not found:
        _refuse(unknown, tensors, file_name)
    refuse_broken_numbers(
        {f"{key}, {kind}": t for (key, _), halves in found.items() for kind, t in halves.items()}, file_name
    )
    return [_change(key, part, halves, file_name, file_alpha) for (key, part), halves in found.items()]


def published_motion_lora(changes: Iterable[LowRankChange]) -> dict[str, torch.Tensor]:
    """Changes without an alpha under AnimateDiff's own key names, which every reader of MotionLoRAs knows.

    Raises ValueError for a change that has an alpha: such files have none.
    """
    out = {}
    for change in changes:
        if change.alpha is not None:
            raise ValueError(f"'{printable(change.key)}' has alpha={change.alpha}; multiply it in first.")
        parent, _, last = change.key.removesuffix(".weight").removesuffix(".to_out.0").rpartition(".")
        if change.key.endswith(".to_out.0.weight"):
            parent, last = f"{parent}.{last}", "to_out"
        if change.part is not None:
            last = f"to_{'qkv'[change.part]}"
        for side, value in (("down", change.down), ("up", change.up)):
            out[f"{parent}.processor.{last}_lora.{side}.weight"] = value.contiguous()
    return out


def keys_outside_motion_modules(raw: Mapping) -> list[str]:
    """The keys of a MotionLoRA file that belong to the checkpoint: its UNet, its text encoder."""
    return [key for key in plain_tensors(raw) if _KEY.match(key) is None]


def _layer_and_kind(match: re.Match) -> tuple[tuple[str, int | None] | None, str | None]:
    """((weight of a MotionModel, part of it), "up" | "down" | "alpha") of a key; None for the unknown."""
    # Files of AnimateDiff's own kind have "processor" in front of the last part of a name.
    layer = _LAYER.match(re.sub(r"(?:^|(?<=[._]))processor[._]", "", match["rest"]))
    if layer is None:
        return None, None
    site = f"{match['level']}.{match['index']}" if match["level"] else "mid_block"
    name = f"{site}.motion_modules.{match['number']}.temporal_transformer."
    part = None
    if layer["projection"]:
        name += layer["projection"]
    elif layer["ff"]:
        name += f"transformer_blocks.{layer['block']}.ff.net.{layer['ff'].replace('_', '.')}"
    else:
        attention = layer["attention"] or int(layer["attn"]) - 1
        part = _PART.get(layer["target"])
        target = "to_out.0" if part is None else "to_qkv"
        name += f"transformer_blocks.{layer['block']}.attention_blocks.{attention}.{target}"
    if half := _HALF.match(layer["suffix"]):
        kind = _SIDES.get(half["side"], half["side"])
    else:
        kind = "alpha" if _ALPHA.match(layer["suffix"]) else None
    return (f"{name}.weight", part), kind


def _change(
    key: str, part: int | None, found: Mapping[str, torch.Tensor], file_name: str, file_alpha: float | None
) -> LowRankChange:
    if not {"down", "up"} <= set(found):
        raise ValueError(
            f"'{printable(file_name)}' lacks the other half of '{printable(key)}'; the file is incomplete, "
            "download it again."
        )
    alpha = float(found["alpha"]) if "alpha" in found else file_alpha
    # Pairs of layers that were 1x1 convolutions in the trainer are the same matrices.
    up, down = (t.flatten(1) if t.ndim > 2 else t for t in (found["up"], found["down"]))
    if up.ndim != 2 or down.ndim != 2 or up.shape[1] != down.shape[0]:
        raise ValueError(
            f"'{printable(file_name)}': the ranks of the two halves of '{printable(key)}' must be equal, "
            f"they have the shapes {tuple(up.shape)} and {tuple(down.shape)}; the file is damaged, download "
            "it again."
        )
    return LowRankChange(key, part, up, down, alpha)


def _refuse(unknown: list[str], tensors: Mapping, file_name: str) -> None:
    for pattern, kind in _OTHER_KINDS:
        if keys := [key for key in unknown if re.search(pattern, key)]:
            raise ValueError(
                f"'{printable(file_name)}' changes a motion module in a way that cannot be applied ({kind}): "
                f"{len(keys)} keys, the first is '{printable(keys[0])}'. Use a LoRA whose pairs (lora_up and "
                "lora_down, or lora_A and lora_B) change attention, feed-forward or projection layers."
            )
    found = (
        f"keys of a motion module (use Load Motion Module), e.g. '{printable(unknown[0])}'"
        if unknown
        else describe_keys(tensors)
    )
    raise ValueError(
        f"'{printable(file_name)}' is not a MotionLoRA: expected keys such as "
        "'down_blocks.0.motion_modules.0.temporal_transformer.transformer_blocks.0."
        "attention_blocks.0.processor.to_q_lora.down.weight', "
        f"found {found}. Choose a file such as v2_lora_ZoomIn.ckpt."
    )
