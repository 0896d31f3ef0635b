"""AnimateDiff-Evolved's settings of a motion module: position tables and weights, changed after loading."""

from __future__ import annotations

from typing import Any

from ..graph import Left, Node
from ..plan import Plan, Wire
from .registry import options
from .values import VARY, Value, chain, option

POSITIONS, WEIGHTS = "ZoetropeAdjustPositionTable", "ZoetropeAdjustWeights"
GROUPS = {
    "all": "all",
    "pe": "position table",
    "attn": "attention",
    "attn_q": "attention q",
    "attn_k": "attention k",
    "attn_v": "attention v",
    "attn_out_weight": "attention out weight",
    "attn_out_bias": "attention out bias",
    "other": "other",
}
MANUAL = {
    "cap_initial_pe_length": "cap", "interpolate_pe_to_length": "length",
    "initial_pe_idx_offset": "offset_before", "final_pe_idx_offset": "offset_after",
    "motion_pe_stretch": "stretch",
}  # fmt: skip
STRETCHES = {
    "ADE_AdjustPESweetspotStretch": {"sweetspot": "cap", "new_sweetspot": "length"},
    "ADE_AdjustPEFullStretch": {"pe_stretch": "stretch"},
    "ADE_AdjustPEManual": MANUAL,
}
LEGACY = (
    "ADE_AnimateDiffModelSettings", "ADE_AnimateDiffModelSettings_Release",
    "ADE_AnimateDiffModelSettingsSimple",
    "ADE_AnimateDiffModelSettingsAdvancedAttnStrengths",
)  # fmt: skip
_WEIGHT_NODES = tuple(
    f"ADE_AdjustWeight{part}{how}" for part in ("All", "Indiv", "IndivAttn") for how in ("Add", "Mult")
)
options("ADE_AnimateDiffSettings", *STRETCHES, *LEGACY, *_WEIGHT_NODES)


def adjusted(plan: Plan, module: Wire, node: Node, name: str) -> tuple[Wire, Value | None]:
    """The module behind nodes that change it as AD_SETTINGS say, and the attention scale of old ones."""
    settings = option(plan, node, name)
    if settings is None:
        return module, None
    if settings.type in LEGACY:
        return _legacy(plan, module, settings)
    if settings.type != "ADE_AnimateDiffSettings":
        raise Left(f"its {name} comes from {settings.name}, and nothing here is that")
    for entry in chain(plan, settings, "pe_adjust"):
        if entry.type not in STRETCHES:
            raise Left(f"nothing here is {entry.name}")
        module = _positions(plan, module, entry, STRETCHES[entry.type])
    for entry in chain(plan, settings, "weight_adjust"):
        if entry.type not in _WEIGHT_NODES:
            raise Left(f"nothing here is {entry.name}")
        module = _weights(plan, module, entry, "_ADD" if entry.type.endswith("Add") else "_MULT")
    return module, None


def _positions(plan: Plan, module: Wire, node: Node, names: dict[str, str]) -> Wire:
    values: dict[str, Any] = {}
    links: dict[str, Wire] = {}
    for old, new in names.items():
        plan.setting(node, old, values, links, new, 0)
    if not links and not any(values.values()):
        return module
    return (plan.add(POSITIONS, values, place=node, motion_module=module, **links), 0)


def _weights(plan: Plan, module: Wire, node: Node, ending: str) -> Wire:
    nothing = 0.0 if ending == "_ADD" else 1.0
    for part, group in GROUPS.items():
        change = plan.constant(node, part + ending, nothing)
        if change != nothing:
            which = {"add": change} if ending == "_ADD" else {"multiply": change}
            values = {"group": group, "multiply": 1.0, "add": 0.0} | which
            module = (plan.add(WEIGHTS, values, place=node, motion_module=module), 0)
    return module


def _legacy(plan: Plan, module: Wire, node: Node) -> tuple[Wire, Value | None]:
    module = _positions(plan, module, node, MANUAL)
    module = _weights(plan, module, node, "_strength")
    mask = plan.wire(node, "mask_motion_scale")
    if mask is None:
        return module, None
    plan.say("the mask of the motion scale is stretched in another way")
    least, most = (plan.constant(node, f"{end}_motion_scale", 1.0) for end in ("min", "max"))
    values = {"value": most, "outside": least, "stretch_mask": True}
    return module, plan.add(VARY, values, place=node, mask=mask)
