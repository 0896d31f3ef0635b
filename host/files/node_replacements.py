"""Nodes of AnimateDiff-Evolved and VideoHelperSuite that ComfyUI may exchange
for ours or its own where those packs are missing.

Only nodes of which one of ours or of core does the same, input by input, are listed. ComfyUI's front end
offers to exchange them in the graph ("Replace"; web/replaced_values.js brings it the values of
VideoHelperSuite's widgets), and prompt_replacements.py exchanges them in a prompt. Source: the node
definitions of Kosinkadink/ComfyUI-AnimateDiff-Evolved (animatediff/nodes*.py) and
Kosinkadink/ComfyUI-VideoHelperSuite (videohelpersuite/*.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from comfy_api.latest import ComfyAPI, io

MOST_OUTPUTS = 4  # of any node on the list


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

    def as_node_replace(self) -> io.NodeReplace:
        inputs = [{"new_id": new, "old_id": old} for old, new in self.inputs.items()]
        inputs += [{"new_id": name, "set_value": value} for name, value in self.values.items()]
        # All of them: the front end moves only the links of outputs that are named,
        # and skips those that a node does not have.
        outputs = [{"new_idx": self.outputs.get(old, old), "old_idx": old} for old in range(MOST_OUTPUTS)]
        return io.NodeReplace(self.new, self.old, list(self.widgets), inputs, outputs)


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


async def register_node_replacements() -> None:
    """Tells ComfyUI of every replacement; one that is known already is not added again."""
    for replacement in REPLACEMENTS:
        await ComfyAPI().node_replacement.register(replacement.as_node_replace())
