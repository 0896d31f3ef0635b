"""What becomes of each node of another pack, a file for each kind of node."""

from ..saved_widgets import ORDERS
from . import (
    artventure,
    controlnet,
    evolved,
    fizznodes,
    plain,
    sampling_options,
    vhs_frames,
    vhs_load,
    vhs_save,
)
from .registry import OPTIONS, RULES, STAGES

PREFIXES = ("ADE_", "VHS_", "ACN_")
OTHERS = frozenset({
    "PromptScheduleEncodeSDXL", "StringSchedule", "BatchStringSchedule",
    "PromptScheduleNodeFlow", "PromptScheduleNodeFlowEnd", "ImagesFromBatchSchedule",
    "LatentKeyframeBatchedGroup",
    "ScaledSoftMaskedUniversalWeights", "SoftControlNetWeights", "CustomControlNetWeights",
    "SoftT2IAdapterWeights", "CustomT2IAdapterWeights",
})  # fmt: skip
"""Types of these packs without a rule, which a report names."""


def is_foreign(kind: object) -> bool:
    """Whether a node's type belongs to a pack that is converted."""
    if not isinstance(kind, str):
        return False
    return kind in RULES or kind in OPTIONS or kind in ORDERS or kind in OTHERS or kind.startswith(PREFIXES)


__all__ = [
    "OPTIONS", "RULES", "STAGES", "artventure", "controlnet", "evolved", "fizznodes", "is_foreign", "plain",
    "sampling_options", "vhs_frames", "vhs_load", "vhs_save",
]  # fmt: skip
