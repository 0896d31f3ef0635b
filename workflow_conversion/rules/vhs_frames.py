"""VideoHelperSuite's tools for frames that take more than one node of another name."""

from __future__ import annotations

from ..graph import Left, Node
from ..plan import Plan
from .plain import REPLACEMENTS, exchange
from .registry import MAKES, rule

BY_NAME = {entry.old: entry for entry in REPLACEMENTS}
MERGES = tuple(f"VHS_Merge{plural}" for plural in ("Images", "Latents", "Masks"))


@rule(*MERGES, stage=MAKES)
def merge(node: Node, plan: Plan) -> None:
    exchange(node, plan, BY_NAME[node.type])
    plan.say("clips of two sizes are refused here, and there the second gets the size of the first")


@rule("VHS_SelectEveryNthImage", "VHS_SelectEveryNthLatent", "VHS_SelectEveryNthMask", stage=MAKES)
def select_every_nth(node: Node, plan: Plan) -> None:
    plural, batch = {
        "Image": ("images", "images"),
        "Latent": ("latents", "latents"),
        "Mask": ("masks", "mask"),
    }[node.type.removeprefix("VHS_SelectEveryNth")]
    skip = plan.constant(node, f"skip_first_{plural}", 0)
    every = plan.constant(node, "select_every_nth", 1)
    frames = plan.wire(node, batch)
    made = plan.add("ZoetropeSelectFrames", {"selection": f"{int(skip)}::{int(every)}"}, frames=frames)
    plan.outputs = {0: (made, 0), 1: (made, 1)}


@rule("VHS_AudioToVHSAudio", "VHS_VHSAudioToAudio", stage=MAKES)
def audio_of_old_versions(node: Node, plan: Plan) -> None:
    name = "audio" if node.type == "VHS_AudioToVHSAudio" else "vhs_audio"
    plan.outputs = {0: plan.wire(node, name)}
    if plan.outputs[0] is None:
        raise Left("nothing is wired to it")


@rule("VHS_BatchManager", stage=MAKES)
def batch_manager(node: Node, plan: Plan) -> None:
    """Goes when nothing needs it: what loads and saves does not take it along."""
    if plan.scope.users(node.id):
        raise Left("what it is wired to was left")


@rule("VHS_SelectFilename", stage=MAKES)
def select_filename(node: Node, plan: Plan) -> None:
    raise Left("nothing here gives out the name of a file")


@rule("VHS_PruneOutputs", stage=MAKES)
def prune_outputs(node: Node, plan: Plan) -> None:
    """Deletes what the other pack writes besides the video; nothing here writes more than the video."""
    source = plan.scope.source(node, "filenames")
    if source is not None and not plan.scope.nodes[source[0]].is_new:
        raise Left("what it is wired to was left")
