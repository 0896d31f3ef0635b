"""Reads and writes prompts as ComfyUI's /prompt takes them: {id: {"class_type", "inputs"}}."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any

from .graph import ANY, Node, Scope
from .saved_widgets import own_name
from .targets import Targets

Json = dict[str, Any]


def is_prompt(data: Any) -> bool:
    """Whether parsed JSON is a prompt: nodes by id, one of which at least has a class."""
    return (
        isinstance(data, dict)
        and bool(data)
        and all(isinstance(node, dict) for node in data.values())
        and any(isinstance(node.get("class_type"), str) for node in data.values())
    )


def read_prompt(prompt: Json, targets: Targets, foreign: Callable[[str], bool]) -> Scope:
    """The nodes of a prompt. Nodes without a class are kept as they are; wires that lead nowhere too."""
    nodes = {}
    for node_id, raw in prompt.items():
        kind = raw.get("class_type") if isinstance(raw.get("class_type"), str) else ""
        inputs = raw.get("inputs") if isinstance(raw.get("inputs"), dict) else {}
        kind = own_name(kind, "", inputs)
        sources = {name: (v[0], int(v[1])) for name, v in inputs.items() if is_wire(v, prompt)}
        meta = raw.get("_meta")
        title = meta.get("title") if isinstance(meta, dict) else ""
        values = {name: v for name, v in inputs.items() if name not in sources} if foreign(kind) else {}
        outputs = targets.outputs(kind) if kind in targets else []
        nodes[node_id] = Node(
            node_id, kind, 0, title if isinstance(title, str) else "", values, sources,
            [(name, ANY) for name in inputs], outputs, raw,
        )  # fmt: skip
    return Scope(nodes)


def is_wire(value: Any, prompt: Container[str]) -> bool:
    """Whether an input's value is [id, number] of a node that is there."""
    return (
        isinstance(value, list)
        and len(value) == 2
        and isinstance(value[0], str)
        and value[0] in prompt
        and isinstance(value[1], (int, float))
        and not isinstance(value[1], bool)
        and 0 <= value[1] < 1000
    )


def write_prompt(prompt: Json, scope: Scope, targets: Targets) -> None:
    """Makes the prompt say what the scope does, in place."""
    for node_id in list(prompt):
        if node_id not in scope.nodes:
            del prompt[node_id]
    for node in scope.nodes.values():
        wires = {name: [origin, slot] for name, (origin, slot) in node.sources.items()}
        if node.is_new:
            inputs = targets.inputs(node.type).values()
            defaults = {e.name: e.default for e in inputs if e.has_widget and not e.is_optional}
            title = node.title or targets.display_name(node.type)
            given = {**defaults, **(node.values or {}), **wires}
            prompt[node.id] = {"class_type": node.type, "inputs": given, "_meta": {"title": title}}
        else:
            inputs = node.raw.get("inputs")
            if isinstance(inputs, dict):
                _rewire(inputs, wires, prompt)


def _rewire(inputs: Json, wires: Json, prompt: Json) -> None:
    for name, value in list(inputs.items()):
        if name in wires:
            if value != wires[name]:
                inputs[name] = wires[name]
        elif isinstance(value, list) and is_wire(value, value[:1]) and value[0] not in prompt:
            del inputs[name]  # it came from a node that is gone
