"""Nodes of which one of ours or of ComfyUI's does the same, input by input.

They are also what ComfyUI's own list of replacements gets (host/files/node_replacements.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

from ..graph import Left, Node
from ..plan import Plan
from .registry import MAKES, OPTIONS, RULES, rule


@dataclass(frozen=True)
class Replacement:
    """How a node `old` becomes a node `new`.

    inputs: name in the old node -> name in the new one.
    values: what inputs of the new node get that the old one does not have.
    widgets: the old node's widgets in the order in which a workflow saves their values.
    outputs: number in the old node -> number in the new one, of those that differ.
    """

    old: str
    new: str
    inputs: dict[str, str]
    widgets: tuple[str, ...] = ()
    values: dict[str, bool | int | float | str] = field(default_factory=dict)
    outputs: dict[int, int] = field(default_factory=dict)


MOST_OUTPUTS = 4  # of any node on the list


def _same(*names: str) -> dict[str, str]:
    return {name: name for name in names}


def _frame_tools(kind: str, plural: str, batch: str, batches: str, picked: str) -> list[Replacement]:
    """VHS's tools for one kind of frames; they exist three times over, with input names of their own."""
    first, second = f"{batches}_A", f"{batches}_B"
    sizes = ("merge_strategy", "scale_method", "crop")
    return [
        # Without the scaling of clips of another size, which Merge Frames refuses with a sentence.
        Replacement(
            f"VHS_Merge{plural}",
            "ZoetropeMergeFrames",
            {first: "first", second: "second"},
            sizes,
            {"crossfade": 0},
        ),
        Replacement(f"VHS_Get{kind}Count", "ZoetropeCountFrames", {batch: "frames"}),
        Replacement(
            f"VHS_Duplicate{plural}",
            "ZoetropeRepeatFrames",
            {batch: "frames", "multiply_by": "times"},
            ("multiply_by",),
            {"each_frame": False},
        ),
        Replacement(
            f"VHS_Select{plural}",
            "ZoetropeSelectFrames",
            {picked: "frames", "indexes": "selection"},
            ("indexes", "err_if_missing", "err_if_empty"),
        ),
        # Without empty parts, which Split Frames refuses with a sentence.
        # There each part is followed by its count.
        Replacement(
            f"VHS_Split{plural}",
            "ZoetropeSplitFrames",
            {batch: "frames", "split_index": "position"},
            ("split_index",),
            outputs={1: 2, 2: 1},
        ),
    ]


REPLACEMENTS = [
    Replacement(
        "ADE_LoadAnimateDiffModel",
        "ZoetropeLoadMotionModule",
        {"model_name": "motion_module"},
        ("model_name",),
    ),
    Replacement(
        "ADE_EmptyLatentImageLarge",
        "EmptyLatentImage",
        _same("width", "height", "batch_size"),
        ("width", "height", "batch_size"),
    ),
    # The beta schedule chosen there is Apply Motion Module's matter.
    Replacement(
        "CheckpointLoaderSimpleWithNoiseSelect",
        "CheckpointLoaderSimple",
        _same("ckpt_name"),
        ("ckpt_name", "beta_schedule", "use_custom_scale_factor", "scale_factor"),
    ),
    Replacement(
        "ADE_ConditioningCombine",
        "ConditioningCombine",
        {"cond_A": "conditioning_1", "cond_B": "conditioning_2"},
    ),
    Replacement(
        "ADE_PairedConditioningCombine",
        "PairConditioningCombine",
        _same("positive_A", "negative_A", "positive_B", "negative_B"),
    ),
    Replacement(
        "ADE_TimestepsConditioning",
        "ConditioningTimestepsRange",
        _same("start_percent", "end_percent"),
        ("start_percent", "end_percent"),
    ),
    Replacement("ADE_SetLoraHookKeyframe", "SetHookKeyframes", {"lora_hook": "hooks", "hook_kf": "hook_kf"}),
    Replacement("VHS_VAEDecodeBatched", "VAEDecode", _same("samples", "vae"), ("per_batch",)),
    Replacement("VHS_VAEEncodeBatched", "VAEEncode", _same("pixels", "vae"), ("per_batch",)),
    *_frame_tools("Latent", "Latents", "latents", "latents", "latent"),
    *_frame_tools("Image", "Images", "images", "images", "image"),
    *_frame_tools("Mask", "Masks", "mask", "mask", "mask"),
]


def exchange(node: Node, plan: Plan, replacement: Replacement) -> None:
    """One node for one node."""
    values, links = dict(replacement.values), {}
    inputs = plan.targets.inputs(replacement.new)
    for old, new in replacement.inputs.items():
        plan.setting(node, old, values, links, new)
        if new not in values and new not in links and inputs[new].has_widget:
            raise Left(f"it does not say its {old}")
    made = plan.add(replacement.new, values, **links)
    outputs = len(plan.targets.outputs(replacement.new))
    for number in range(MOST_OUTPUTS):
        if (there := replacement.outputs.get(number, number)) < outputs:
            plan.outputs[number] = (made, there)


def _register() -> None:
    from . import evolved  # its rules know more than one line says  # noqa: F401

    for entry in REPLACEMENTS:
        if entry.old not in RULES and entry.old not in OPTIONS:
            rule(entry.old, stage=MAKES)(partial(exchange, replacement=entry))


_register()
