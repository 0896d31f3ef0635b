"""The converter: a workflow or a prompt in, the same with ComfyUI's and our nodes out, and a report.

`convert(data, object_info)` is all that users of this library need. Rules (rules/) work from the node that
uses something: a loader takes its options, LoRAs and values with it, whole or not at all.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from .finish import retype_primitives, sweep
from .graph import MUTED, NOTES, OUTSIDE, RESULTS, Left, Node, Scope
from .plan import Plan, apply
from .prompts import is_prompt, read_prompt, write_prompt
from .read_ui import check_version, contents_of, is_ui_workflow, read_scope
from .remarks import DIFFERS, EQUAL, LEFT, Remark, Report
from .rules import OPTIONS, RULES, STAGES, is_foreign
from .targets import Targets
from .write_ui import Numbers, write_scope

NOTE_TITLE = "Converted to Zoetrope"
NO_GRAPH = (
    "this is neither a workflow of ComfyUI's editor nor a prompt in API format; give the .json that ComfyUI"
    " saves, or an image or video that it wrote."
)


def convert(
    data: Any, object_info: Mapping[str, Any], installed: frozenset[str] = frozenset(), language: str = "en"
) -> tuple[Any, Report]:
    """Returns a converted copy of `data`, or `data` itself where nothing was done, and the report.

    object_info: what ComfyUI answers at /object_info. installed: types of other packs that stay as they are.
    language: of the note that the workflow gets, "en" or "zh".
    Never raises for what a file may hold: `Report.trouble` says why it could not be read.
    """
    targets, report = Targets(object_info), Report()
    try:
        if is_ui_workflow(data):
            changed = _convert_ui(data, targets, report, installed, language)
        elif is_prompt(data):
            changed = _convert_prompt(data, targets, report, installed)
        else:
            changed, report.trouble = None, NO_GRAPH
    except ValueError as trouble:
        changed, report.trouble = None, str(trouble)
    except RecursionError:
        changed, report.trouble = None, "its nodes go round in a circle; take one of the wires out."
    return (data if changed is None else changed), report


def _convert_ui(
    data: dict, targets: Targets, report: Report, installed: frozenset[str], language: str
) -> dict | None:
    check_version(data)
    changed = copy.deepcopy(data)
    contents = contents_of(changed)
    numbers, scopes = Numbers(changed, contents), []
    for content in contents:
        scope = read_scope(content, is_foreign)
        remarks = convert_scope(scope, targets, numbers.next_node, installed)
        report.remarks += remarks
        scopes.append(scope)
    report.remarks += list(_in_group_nodes(changed))
    if not report.changed:
        return None
    for content, scope in zip(contents, scopes, strict=True):
        write_scope(content, scope, targets, numbers)
    _put_note(changed, report, numbers, language)
    for content in contents:
        numbers.put_into(content)
    return changed


def _convert_prompt(data: dict, targets: Targets, report: Report, installed: frozenset[str]) -> dict | None:
    changed = copy.deepcopy(data)
    scope = read_prompt(changed, targets, is_foreign)
    number = max((int(k) for k in changed if k.isdecimal() and len(k) < 16), default=0)

    def next_node() -> str:
        nonlocal number
        number += 1
        return str(number)

    report.remarks += convert_scope(scope, targets, next_node, installed)
    if not report.changed:
        return None
    write_prompt(changed, scope, targets)
    return changed


def convert_scope(
    scope: Scope, targets: Targets, next_node: Callable[[], Any], installed: frozenset[str]
) -> list[Remark]:
    """Applies the rules to one level, in place, and says what was done with each node of another pack."""
    remarks: dict[Any, Remark] = {}
    options: dict[Any, str] = {}
    todo = [n for n in scope.nodes.values() if is_foreign(n.type) and n.type not in installed]
    progress = True
    while progress:  # what is left because of another node may go once that one is gone
        progress = False
        for stage in STAGES:
            for node in todo:
                rule = RULES.get(node.type)
                if rule is None or rule.stage != stage or scope.nodes.get(node.id) is not node:
                    continue
                plan = Plan(node, scope, targets)
                remarks[node.id] = _try(node, plan, next_node)
                if remarks[node.id].grade != LEFT:
                    progress = True
                    options |= {n.id: node.name for n in plan.options.values()}
                    remarks |= {g: _part_of(before, scope, node) for g, before in plan.gone.items()}
        for node in sweep(scope, frozenset(n.id for n in todo if n.type in OPTIONS)):
            used = options.get(node.id)
            why = f"it is among the settings of what {used} is now" if used else "nothing used it"
            remarks[node.id], progress = _remark(EQUAL, node, scope, why), True
    retype_primitives(scope)
    for node in todo:
        if node.id not in remarks:
            remarks[node.id] = _remark(LEFT, node, scope, _why_left(node))
    return [remarks[node.id] for node in todo]


def _part_of(node: Node, scope: Scope, into: Node) -> Remark:
    return _remark(EQUAL, node, scope, f"it is a part of what {into.name} is now")


def _try(node: Node, plan: Plan, next_node: Callable[[], Any]) -> Remark:
    try:
        _ask(node, plan)
        plan.gone = {gone: plan.scope.nodes[gone] for gone in plan.absorbed}
        became = apply(plan, next_node)
    except Left as why:
        return _remark(LEFT, node, plan.scope, str(why))
    became = list(dict.fromkeys(plan.targets.display_name(kind) for kind in became))
    grade = DIFFERS if plan.differs else EQUAL
    remark = _remark(grade, node, plan.scope, "; ".join([*plan.differs, *plan.steps]), became)
    return replace(remark, steps=len(plan.steps))


def _ask(node: Node, plan: Plan) -> None:
    """Lets the rule of a node plan. Raises Left, also for values of kinds that no version has saved."""
    try:
        RULES[node.type].convert(node, plan)
        plan.check()
    except (TypeError, ValueError, KeyError, AttributeError, IndexError, OverflowError):
        raise Left("its values or wires are none that a version of it has saved") from None


def _remark(grade: str, node: Node, scope: Scope, text: str, became: list[str] | None = None) -> Remark:
    is_active = node.mode == 0
    return Remark(grade, node.id, node.type, node.name, text, tuple(became or ()), scope.name, is_active)


def _why_left(node: Node) -> str:
    if node.type in OPTIONS:
        return "what it is wired to was left"
    return "nothing here does what it does"


def _in_group_nodes(workflow: dict) -> list[Remark]:
    """Nodes of other packs inside of group nodes, which are left."""
    extra = workflow.get("extra")
    groups = extra.get("groupNodes") if isinstance(extra, dict) else None
    found = []
    for name, group in groups.items() if isinstance(groups, dict) else ():
        used = [
            n for n in workflow["nodes"] if str(n.get("type", "")).replace("/", ">") == f"workflow>{name}"
        ]
        inside = group.get("nodes") if isinstance(group, dict) else None
        inside = inside if isinstance(inside, list) else []
        kinds = [n.get("type") for n in inside if isinstance(n, dict) and is_foreign(n.get("type"))]
        for node in used:
            for kind in kinds:
                why = "it is inside a group node; choose Convert to nodes in ComfyUI, and convert again"
                found.append(
                    Remark(LEFT, node["id"], kind, f"{kind} in {name}", why, active=node.get("mode", 0) == 0)
                )
    return found


def _put_note(workflow: dict, report: Report, numbers: Numbers, language: str) -> None:
    """The report in the workflow, in its top left corner; a second conversion writes into the same note."""
    if not report.noted():
        return
    for raw in workflow["nodes"]:
        if isinstance(raw, dict) and raw.get("type") in NOTES and raw.get("title") == NOTE_TITLE:
            raw["widgets_values"] = [report.note(language)]
            return
    from .layout import Places

    places = Places([raw for raw in workflow["nodes"] if isinstance(raw, dict)])
    note = report.note(language)
    lines = note.splitlines()
    size = [460.0, min(700.0, 80.0 + 20.0 * sum(1 + len(line) // 60 for line in lines))]
    workflow["nodes"].append({
        "id": numbers.next_node(), "type": "Note", "pos": [places.left - size[0] - 60.0, places.top + 30.0],
        "size": size, "flags": {}, "order": 0, "mode": 0, "inputs": [], "outputs": [], "title": NOTE_TITLE,
        "properties": {}, "widgets_values": [note],
    })  # fmt: skip


__all__ = ["MUTED", "OUTSIDE", "RESULTS", "convert", "convert_scope"]
