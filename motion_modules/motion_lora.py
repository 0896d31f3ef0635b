"""MotionLoRA: low-rank changes of a motion module's temporal attention, for example one camera movement.

Source: Guo et al. 2023, arXiv 2307.04725, section 4.3; github.com/guoyww/AnimateDiff: W += scale * up @ down, without
division by a rank or an alpha.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from ..foreign_text import printable
from .formats import DIFFUSERS_RENAMES, describe_keys, plain_tensors

_LORA_KEY = re.compile(
    r"^(?P<site>(?:down_blocks|up_blocks)\.\d+\.motion_modules\.\d+|mid_block\.motion_modules\.\d+)\."
    r"(?:temporal_transformer\.)?(?P<block>transformer_blocks\.\d+\.attention_blocks\.\d+)\.(?:processor\.)?"
    r"(?P<target>to_q|to_k|to_v|to_out)(?:\.0)?(?:_lora\.|\.lora\.|\.lora_)(?P<side>down|up|A|B)\.weight$"
)
_PART = {"to_q": 0, "to_k": 1, "to_v": 2}


@dataclass(frozen=True)
class LowRankChange:
    """One changed weight of a `MotionModel`: rows part*C to (part+1)*C of `key` (all rows when part is None) += up @ down.

    up (C, rank), down (rank, C).
    """

    key: str
    part: int | None
    up: torch.Tensor
    down: torch.Tensor


def read_motion_lora(raw: Mapping, file_name: str = "this file") -> list[LowRankChange]:
    """The changes that a MotionLoRA file makes, original or diffusers key names.

    Raises ValueError when the file is something else or lacks half of a pair.
    """
    tensors = plain_tensors(raw)
    halves: dict[tuple[str, int | None], dict[str, torch.Tensor]] = {}
    for key, value in tensors.items():
        for theirs, ours in DIFFUSERS_RENAMES:
            key = key.replace(theirs, ours)
        if (match := _LORA_KEY.match(key)) is None:
            continue
        part = _PART.get(match["target"])
        name = "to_out.0" if part is None else "to_qkv"
        target = f"{match['site']}.temporal_transformer.{match['block']}.{name}.weight"
        side = {"A": "down", "B": "up"}.get(match["side"], match["side"])
        halves.setdefault((target, part), {})[side] = value
    if not halves:
        raise ValueError(
            f"'{printable(file_name)}' is not a MotionLoRA: expected keys such as "
            "'down_blocks.0.motion_modules.0.temporal_transformer."
            f"transformer_blocks.0.attention_blocks.0.processor.to_q_lora.down.weight', found {describe_keys(tensors)}. "
            f"Choose a file such as v2_lora_ZoomIn.ckpt."
        )
    for (target, _), pair in halves.items():
        if set(pair) != {"down", "up"}:
            raise ValueError(
                f"'{printable(file_name)}' lacks the other half of '{printable(target)}'; the file is "
                "incomplete, download it again."
            )
    return [LowRankChange(key, part, pair["up"], pair["down"]) for (key, part), pair in halves.items()]
