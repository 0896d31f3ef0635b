"""ArtVenture's AnimateDiff nodes (ComfyUI-AnimateDiff of 2023): a sampler that has the module in it."""

from __future__ import annotations

from typing import Any

from ..graph import Left, Node
from ..plan import Plan, Wire
from .evolved import APPLY, AS_EVOLVED, LOAD, LORA
from .registry import MAKES, TAKES, USES, options, rule
from .values import chain
from .vhs_load import FRAMES, NUM_FRAMES, open_video
from .windows import in_windows

options("AnimateDiffLoraLoader")
SAMPLER = ("seed", "steps", "cfg", "sampler_name", "scheduler", "denoise")


@rule("AnimateDiffModuleLoader", stage=TAKES)
def load_module(node: Node, plan: Plan) -> None:
    wire: Wire = (plan.add(LOAD, {"motion_module": plan.constant(node, "model_name", "")}), 0)
    for lora in chain(plan, node, "lora_stack"):
        if lora.type != "AnimateDiffLoraLoader":
            raise Left(f"its lora_stack comes from {lora.name}, and nothing here is that")
        values = {
            "lora_name": plan.constant(lora, "lora_name", ""),
            "strength": plan.constant(lora, "alpha", 1.0),
        }
        wire = (plan.add(LORA, values, place=lora, motion_module=wire), 0)
    plan.outputs = {0: wire}


@rule("AnimateDiffSampler", stage=USES)
def sampler(node: Node, plan: Plan) -> None:
    norms = plan.targets.inputs(APPLY)["group_norm"].choices or ()
    values = {"beta_schedule": "sqrt_linear (AnimateDiff)"}
    if AS_EVOLVED in norms:
        values["group_norm"] = AS_EVOLVED
    made = plan.add(
        APPLY, values, model=plan.wire(node, "model"), motion_module=plan.wire(node, "motion_module")
    )
    model: Wire = (made, 0)
    behind = in_windows(plan, model, node, "sliding_window_opts", "default")
    if behind == model:
        windows = {"context_schedule": "looped_uniform", "fuse_method": "flat"}
        behind = (plan.add("ZoetropeApplyContextWindows", windows, model=model), 0)
    numbers: dict[str, Any] = {}
    links: dict[str, Wire] = {}
    for name in SAMPLER:
        plan.setting(node, name, numbers, links, name)
    for name in ("positive", "negative", "latent_image"):
        links |= {name: wire} if (wire := plan.wire(node, name)) is not None else {}
    plan.say("the batch of the latents is the number of frames, and not frame_number")
    plan.say("numbers of this pack were not compared")
    plan.outputs = {0: (plan.add("KSampler", numbers, model=behind, **links), 0)}


@rule("AnimateDiff.LoadVideo", stage=MAKES)
def load_video(node: Node, plan: Plan) -> None:
    loaded = open_video(node, plan, "video")
    values: dict[str, Any] = {"multiple_of": 1}
    links: dict[str, Wire] = {}
    plan.setting(node, "frame_start", values, links, "skip_first_frames", 0)
    plan.setting(node, "frame_limit", values, links, "frame_cap", 16)
    made = plan.add(FRAMES, values, video=(loaded, 0), **links)
    plan.outputs = {0: (made, 0), 1: (made, NUM_FRAMES)}


@rule("ImageSizeAndBatchSize", stage=MAKES)
def size_and_count(node: Node, plan: Plan) -> None:
    made = plan.add("ZoetropeCountFrames", {}, frames=plan.wire(node, "image"))
    plan.outputs = {0: (made, 1), 1: (made, 2), 2: (made, 0)}
