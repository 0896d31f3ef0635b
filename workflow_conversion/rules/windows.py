"""Context options of AnimateDiff-Evolved and ArtVenture: Context Windows, and windows inside of layers."""

from __future__ import annotations

from typing import Any

from ..graph import Left, Node
from ..plan import Plan, Wire
from .registry import options
from .values import chain, option

WINDOWS, VIEWS = "ZoetropeApplyContextWindows", "ZoetropeApplyLayerViews"
EVOLVED = " (AnimateDiff-Evolved)"
STATIC, UNIFORM, LOOPED, BATCHED = "standard_static", "standard_uniform", "looped_uniform", "batched"
CONTEXTS = {
    "ADE_StandardStaticContextOptions": STATIC,
    "ADE_StandardUniformContextOptions": UNIFORM,
    "ADE_LoopedUniformContextOptions": LOOPED,
    "ADE_AnimateDiffUniformContextOptions": LOOPED,
    "ADE_BatchedContextOptions": BATCHED,
    "AnimateDiffSlidingWindowOptions": LOOPED,
}
VIEWED = {
    "ADE_StandardStaticViewOptions": STATIC,
    "ADE_StandardUniformViewOptions": UNIFORM,
    "ADE_LoopedUniformViewOptions": LOOPED,
}
ONLY_VIEWS = "ADE_ViewsOnlyContextOptions"
FLAT_BY_DEFAULT = {"ADE_AnimateDiffUniformContextOptions", "AnimateDiffSlidingWindowOptions"}
"""Nodes that had no fuse method at first; what they did then is what they do without one."""
SAME_FUSE = ("pyramid", "flat")
options(*CONTEXTS, *VIEWED, ONLY_VIEWS)

NOISE = {
    "default": "default",
    "constant": "constant",
    "empty": "empty",
    "FreeNoise": "freenoise",
    "repeated_context": "repeated",
}


def in_windows(plan: Plan, model: Wire, node: Node, name: str, noise: str) -> Wire:
    """The MODEL behind the windows that are wired to the input `name`."""
    given = chain(plan, node, name)
    for number, context in enumerate(given):
        if context.type == ONLY_VIEWS:
            if len(given) > 1:
                raise Left("windows inside of layers are one of several context options")
            model = _views(plan, model, option(plan, context, "view_opts_req"))
        elif context.type in CONTEXTS:
            model = _windows(plan, model, context, noise, is_first=not number)
            model = _views(plan, model, option(plan, context, "view_opts"))
        else:
            raise Left(f"its context options come from {context.name}, and nothing here is that")
    return model


def _windows(plan: Plan, model: Wire, node: Node, noise: str, is_first: bool) -> Wire:
    values: dict[str, Any] = {"noise_type": noise}
    links: dict[str, Wire] = {}
    for name, default in (("context_length", 16), ("context_overlap", 4), ("closed_loop", False)):
        plan.setting(node, name, values, links, name, default)
    stride = plan.constant(node, "context_stride", 1)
    values["context_stride"] = stride or 1
    values["context_schedule"] = _schedule(CONTEXTS[node.type], values["context_stride"])
    if CONTEXTS[node.type] == BATCHED:
        values["context_overlap"] = 0
    values["fuse_method"] = _fuse(plan, node, values["context_schedule"])
    if node.type == "AnimateDiffSlidingWindowOptions":
        if plan.constant(node, "context_schedule", "uniform") != "uniform":
            plan.say("its schedule of windows is another one")
    else:
        plan.setting(node, "use_on_equal_length", values, links, "use_on_equal_length", False)
        plan.setting(node, "guarantee_steps", values, links, "guarantee_steps", 1)
    if not is_first:  # there the first options rule from the beginning, whatever they say
        values["start_percent"] = min(plan.constant(node, "start_percent", 0.0), 0.999)
    _mend_overlap(plan, values)
    return (plan.add(WINDOWS, values, place=node, model=model, **links), 0)


def _mend_overlap(plan: Plan, values: dict) -> None:
    length, overlap = values.get("context_length"), values.get("context_overlap")
    if isinstance(length, (int, float)) and isinstance(overlap, (int, float)) and overlap >= length > 0:
        values["context_overlap"] = length - 1
        plan.say(f"windows of {length} frames overlap by {length - 1}; {overlap} leave nothing there")


def _schedule(kind: str, stride: float) -> str:
    return kind if kind == LOOPED and stride == 1 else kind + EVOLVED


def _fuse(plan: Plan, node: Node, schedule: str) -> str:
    if schedule.startswith(BATCHED):
        return "flat"
    usual = "flat" if node.type in FLAT_BY_DEFAULT else _usual_fuse(node)
    told = plan.constant(node, "fuse_method", usual)
    if told == "random":
        plan.say("windows are blended by pyramid, not at random")
        return "pyramid"
    return told if told in SAME_FUSE else told + EVOLVED


def _usual_fuse(node: Node) -> str:
    """A prompt without one gets what the function does, the editor's list its first choice."""
    in_prompt = node.raw is not None and "class_type" in node.raw
    return "flat" if in_prompt and CONTEXTS.get(node.type) == LOOPED else "pyramid"


def _views(plan: Plan, model: Wire, node: Node | None) -> Wire:
    if node is None:
        return model
    if node.type not in VIEWED:
        raise Left(f"its view options come from {node.name}, and nothing here is that")
    values: dict[str, Any] = {}
    links: dict[str, Wire] = {}
    for name, default in (("view_length", 16), ("view_overlap", 4), ("closed_loop", False)):
        plan.setting(node, name, values, links, name, default)
    values["view_stride"] = plan.constant(node, "view_stride", 1) or 1
    values["view_schedule"] = VIEWED[node.type] + EVOLVED
    told = plan.constant(node, "fuse_method", "pyramid")
    values["fuse_method"] = told if told in SAME_FUSE else told + EVOLVED
    return (plan.add(VIEWS, values, place=node, model=model, **links), 0)
