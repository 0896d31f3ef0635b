"""Whether a workflow or a prompt is whole: every link has both ends, and types that agree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .graph import ANY, OUTSIDE, RESULTS
from .prompts import is_wire
from .read_ui import contents_of, is_ui_workflow, kind_of, links_of, sockets_of
from .targets import Targets, kinds_agree
from .write_ui import list_of

SEEN_THROUGH = frozenset({"Reroute", "PrimitiveNode", "SetNode", "GetNode"})


def faults(data: Any, object_info: Mapping[str, Any]) -> list[str]:
    """What is wrong with it, a sentence each; nothing where it is whole."""
    targets = Targets(object_info)
    if not is_ui_workflow(data):
        return list(_in_prompt(data, targets))
    return [fault for content in contents_of(data) for fault in _in_level(content, targets)]


def _in_level(content: dict, targets: Targets) -> Iterator[str]:
    if not all(isinstance(raw, dict) and isinstance(raw.get("id"), (int, str)) for raw in content["nodes"]):
        yield "one of its nodes has no number"
        return
    nodes = {raw["id"]: raw for raw in content["nodes"]}
    if len(nodes) != len(content["nodes"]):
        yield "two nodes have one number"
    links = links_of(content)
    if len(links) != len(list_of(content, "links")):
        yield "there are links that say nothing, or two with one number"
    for number, link in links.items():
        yield from _of_link(number, link, nodes, targets)
    for node_id, raw in nodes.items():
        for at, entry in enumerate(sockets_of(raw, "inputs")):
            link = entry.get("link")
            if isinstance(link, (list, dict)):
                yield f"input {at} of node {node_id} has no number for a link"
            elif link is not None and (link not in links or links[link][3:5] != [node_id, at]):
                yield f"input {at} of node {node_id} has link {link}, which does not end there"
        for at, entry in enumerate(sockets_of(raw, "outputs")):
            for link in list_of(entry, "links"):
                if isinstance(link, (list, dict)) or link not in links or links[link][1:3] != [node_id, at]:
                    yield f"output {at} of node {node_id} has link {link}, which does not begin there"


def _of_link(number: Any, link: list, nodes: dict, targets: Targets) -> Iterator[str]:
    _, origin, out_slot, target, in_slot, _ = link
    given = wanted = ANY
    if origin != OUTSIDE:
        outputs = sockets_of(nodes.get(origin, {}), "outputs")
        if out_slot >= len(outputs) or number not in list_of(outputs[out_slot], "links"):
            yield f"link {number} does not begin at an output of node {origin}"
            return
        given = _kind(nodes[origin], outputs[out_slot], targets, out_slot)
    if target != RESULTS:
        inputs = sockets_of(nodes.get(target, {}), "inputs")
        if in_slot >= len(inputs) or inputs[in_slot].get("link") != number:
            yield f"link {number} does not end at an input of node {target}"
            return
        kind, name = nodes[target].get("type"), inputs[in_slot].get("name")
        if kind in targets and isinstance(name, str) and name in targets.inputs(kind):
            wanted = targets.inputs(kind)[name].type
    if not kinds_agree(given, wanted):
        yield f"link {number} brings {given} from node {origin} to node {target}, which takes {wanted}"


def _kind(raw: dict, entry: dict, targets: Targets, slot: int) -> str:
    kind = str(raw.get("type"))
    if kind in SEEN_THROUGH:
        return ANY if kind != "PrimitiveNode" else kind_of(entry.get("type"))
    if kind in targets and slot < len(targets.outputs(kind)):
        return targets.outputs(kind)[slot][1]
    return ANY


def _in_prompt(prompt: Any, targets: Targets) -> Iterator[str]:
    for node_id, node in prompt.items():
        kind = node.get("class_type")
        if not isinstance(kind, str):
            continue
        inputs = node.get("inputs")
        for name, value in (inputs if isinstance(inputs, dict) else {}).items():
            is_broken = isinstance(value, list) and len(value) == 2 and isinstance(value[0], str)
            if is_broken and not is_wire(value, prompt):
                yield f"{name} of node {node_id} is wired to node {value[0]}, which is not there"
            elif is_wire(value, prompt) and kind in targets and name in targets.inputs(kind):
                origin = prompt[value[0]].get("class_type")
                is_known = isinstance(origin, str) and origin in targets
                outputs = targets.outputs(origin) if is_known else []
                given = outputs[int(value[1])][1] if int(value[1]) < len(outputs) else ANY
                if not kinds_agree(given, targets.inputs(kind)[name].type):
                    yield f"{name} of node {node_id} gets {given}"
        if kind in targets:
            needed = [e.name for e in targets.inputs(kind).values() if not e.is_optional and not e.has_widget]
            yield from (
                f"{n} of node {node_id} is open"
                for n in needed
                if not isinstance(inputs, dict) or n not in inputs
            )
