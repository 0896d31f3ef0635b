"""Multivals and key frames: one value, or Vary Value for what changes over frames, places and steps."""

from __future__ import annotations

from typing import Any

from ..graph import Left, Node, Output
from ..plan import New, Plan, Wire
from .registry import options

VARY = "ZoetropeVaryValue"
NUMBERS = (
    "ADE_MultivalDynamic",
    "ADE_MultivalFloat",
    "ADE_MultivalDynamicFloatInput",
    "ADE_MultivalDynamicFloats",
)
SCALED = "ADE_MultivalScaledMask"
options(*NUMBERS, SCALED, "ADE_AnimateDiffKeyframe")

_STEPS = ("prev_timestep_kf", "prev_timestep_keyframe")
PREVIOUS = {
    "ad_keyframes": ("prev_ad_keyframes",), "context_options": ("prev_context",),
    "sliding_window_opts": ("prev_context",), "custom_cfg": ("prev_custom_cfg",),
    "noise_layers": ("prev_noise_layers",),
    "motion_lora": ("prev_motion_lora",), "lora_stack": ("lora_stack",), "m_models": ("prev_m_models",),
    "pe_adjust": ("prev_pe_adjust",), "weight_adjust": ("prev_weight_adjust",),
    **dict.fromkeys(("timestep_kf", "timestep_keyframe", "tk_optional", "_tk_opt"), _STEPS),
    **dict.fromkeys(("latent_kf_override", "latent_keyframe"), ("prev_latent_kf", "prev_latent_keyframe")),
}  # fmt: skip
"""Input -> by which name, now and before, options of its kind are wired in a row."""

Value = float | New
"""A number, or the Vary Value that says it."""


def option(plan: Plan, node: Node, name: str) -> Node | None:
    """The node of options wired to an input, which goes once nothing needs it. Raises Left for options from
    outside of a sub-graph.
    """
    found: Output | None = plan.scope.source(node, name)
    if found is None:
        return None
    if found[0] not in plan.scope.nodes or not plan.scope.nodes[found[0]].type:
        raise Left(f"its {name} comes from outside of its sub-graph; unpack that")
    given = plan.scope.nodes[found[0]]
    plan.options[given.id] = given
    return given


def multival(plan: Plan, node: Node, name: str) -> Value | None:
    """What a MULTIVAL input says; None where nothing is wired to it. Raises Left for unknown nodes."""
    given = option(plan, node, name)
    if given is None:
        return None
    if given.type == SCALED:
        values: dict[str, Any] = {"stretch_mask": plan.value(given, "scaling", "absolute") == "relative"}
        links: dict[str, Wire] = {"mask": needed(plan, given, "mask")}
        plan.setting(given, "max_float_val", values, links, "value", 1.0)
        values["outside"] = plan.constant(given, "min_float_val", 0.0)
        return plan.add(VARY, values, place=given, **links)
    if given.type not in NUMBERS:
        raise Left(f"its {name} comes from {given.name}, and nothing here is that")
    input_name = "floats" if given.type == "ADE_MultivalDynamicFloats" else "float_val"
    mask = plan.wire(given, "mask_optional")
    if mask is None and input_name not in given.sources:
        return float(plan.value(given, input_name, 1.0))
    values, links = {}, {}
    plan.setting(given, input_name, values, links, "value", 1.0)
    return plan.add(VARY, values, place=given, mask=mask, **links)


def needed(plan: Plan, node: Node, name: str) -> Wire:
    """What is wired to an input that has to have something."""
    wire = plan.wire(node, name)
    if wire is None:
        raise Left(f"nothing is wired to {name} of {node.name}")
    return wire


def put(value: Value | None, name: str, values: dict, links: dict) -> None:
    """A value into an input, as a number or as a wire."""
    if isinstance(value, New):
        links[name] = (value, 0)
    elif value is not None:
        values[name] = value


def chain(plan: Plan, node: Node, name: str) -> list[Node]:
    """The options wired in a row into an input, those that are nearest to it last; what is bypassed is not
    among them.
    """
    previous = PREVIOUS[name]
    found: list[Node] = []
    given = option(plan, node, name)
    while given is not None:
        if given in found:
            raise Left("its options go round in a circle")
        found.insert(0, given)
        given = option(plan, given, next((p for p in previous if p in given.sources), previous[0]))
    return found


def over_steps(plan: Plan, base: Value | None, keys: list[tuple[float, Value, Node]]) -> Value | None:
    """One value out of key frames (start_percent, value, node) on top of what holds from the beginning."""
    keys = sorted(keys, key=lambda key: key[0])
    if not keys:
        return base
    before: New | None = None
    if keys[0][0] > 0 or base is not None:
        if isinstance(base, New) or (base is not None and base != 1.0):
            raise Left("it has both a value and key frames of it, which there are multiplied")
        if keys[0][0] > 0:
            before = plan.add(VARY, {"value": 1.0, "start_percent": 0.0}, place=keys[0][2])
    if len(keys) == 1 and before is None:
        return keys[0][1]
    for start, value, place in keys:
        if isinstance(value, New):
            value.values["start_percent"] = start
            made = value
            if "values" in made.links:
                raise Left("two key frames have the same value node")
        else:
            made = plan.add(VARY, {"value": value, "start_percent": start}, place=place)
        if before is not None:
            made.links["values"] = (before, 0)
        before = made
    return before


def motion_keys(plan: Plan, node: Node, name: str) -> dict[str, list[tuple[float, Value, Node]]]:
    """The key frames of a motion module, by what they change."""
    found: dict[str, list] = {"scale_multival": [], "effect_multival": []}
    for key in chain(plan, node, name):
        if key.type != "ADE_AnimateDiffKeyframe":
            raise Left(f"its key frame {key.name} is nothing here")
        if plan.scope.source(key, "per_block_replace"):
            raise Left("a key frame changes single blocks")
        start = plan.constant(key, "start_percent", 0.0)
        for changed, keys in found.items():
            if (value := multival(plan, key, changed)) is not None:
                keys.append((start, value, key))
    return found
