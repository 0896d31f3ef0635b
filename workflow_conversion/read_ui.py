"""Reads workflows as the editor saves them: versions 0.4 and 1.0, sub-graphs.

Files are read as they are found in the wild: links that lead nowhere, types that are lists, missing keys.
What makes it impossible to tell what a graph means is refused with a sentence (ValueError).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..foreign_text import printable
from .graph import ANY, OUTSIDE, RESULTS, Node, Scope
from .saved_widgets import named_values, own_name

NEWEST = 1.0
Json = dict[str, Any]


def is_ui_workflow(data: Any) -> bool:
    """Whether parsed JSON is a workflow of the editor."""
    return isinstance(data, dict) and isinstance(data.get("nodes"), list)


def contents_of(workflow: Json) -> list[Json]:
    """The workflow and its sub-graphs, each with nodes and links of its own."""
    definitions = workflow.get("definitions")
    subgraphs = definitions.get("subgraphs") if isinstance(definitions, dict) else None
    found = [entry for entry in subgraphs or [] if is_ui_workflow(entry)]
    return [workflow, *found]


def check_version(workflow: Json) -> None:
    """Raises ValueError for a version that is not known; a file without one is read as 0.4."""
    version = workflow.get("version", 0.4)
    if isinstance(version, bool) or not isinstance(version, (int, float)) or not version <= NEWEST:
        raise ValueError(
            f"this workflow has version {printable(str(version))}, and {NEWEST} is the newest that is known; "
            "save it from ComfyUI 0.30, or update this pack."
        )


def read_scope(content: Json, foreign: Callable[[str], bool]) -> Scope:
    """One level of a workflow. foreign: types whose widgets are named. Raises ValueError for no graph."""
    links = links_of(content)
    nodes: dict[Any, Node] = {}
    for raw in content["nodes"]:
        node = _read_node(raw, links, foreign)
        if node.id in nodes:
            raise ValueError(
                f"two nodes have the number {printable(str(node.id))}; open the workflow in ComfyUI, and save"
                " it again."
            )
        nodes[node.id] = node
    if isinstance(content.get("inputs"), list):
        nodes[OUTSIDE] = _boundary(OUTSIDE, content["inputs"])
    if isinstance(content.get("outputs"), list):
        nodes[RESULTS] = _boundary(RESULTS, content["outputs"])
        for link in links.values():
            if link[3] == RESULTS:
                nodes[RESULTS].sources[str(link[4])] = (link[1], link[2])
    _drop_loose_ends(nodes)
    return Scope(nodes, str(content.get("name") or "") if content.get("inputNode") else "")


def links_of(content: Json) -> dict[Any, list]:
    """{id: [id, origin, slot, target, slot, type]} of both forms; what is no link is left out."""
    found = {}
    links = content.get("links")
    for link in links if isinstance(links, list) else []:
        if isinstance(link, dict):
            keys = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")
            link = [link.get(key) for key in keys]
        if (
            isinstance(link, list)
            and len(link) >= 5
            and _is_id(link[0])
            and _is_id(link[1])
            and _is_id(link[3])
        ):
            slots_fit = all(
                isinstance(slot, int) and not isinstance(slot, bool) for slot in (link[2], link[4])
            )
            if slots_fit and link[2] >= 0:
                found[link[0]] = [*link[:5], kind_of(link[5]) if len(link) > 5 else ANY]
    return found


def kind_of(kind: Any) -> str:
    """A type as text; lists are the choices of old files' combos, numbers and nothing mean any."""
    if isinstance(kind, list):
        return "COMBO"
    return kind if isinstance(kind, str) and kind else ANY


def sockets_of(raw: Json, key: str) -> list[Json]:
    """The inputs or outputs of a node that are what they should be."""
    entries = raw.get(key)
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def input_name(entry: Json, number: int) -> str:
    """An input's name; those of Reroutes are empty."""
    name = entry.get("name")
    return name if isinstance(name, str) and name else f"#{number}"


def _read_node(raw: Any, links: dict[Any, list], foreign: Callable[[str], bool]) -> Node:
    if not isinstance(raw, dict) or not _is_id(raw.get("id")) or not isinstance(raw.get("type"), str):
        raise ValueError("one of its nodes has no number or no type; it is no workflow of ComfyUI's editor.")
    inputs, sources = sockets_of(raw, "inputs"), {}
    for number, entry in enumerate(inputs):
        link = links.get(entry.get("link")) if _is_id(entry.get("link")) else None
        if link is not None:
            sources[input_name(entry, number)] = (link[1], link[2])
    outputs = [(str(e.get("name", "")), kind_of(e.get("type"))) for e in sockets_of(raw, "outputs")]
    kind = own_name(raw["type"], outputs[0][1] if outputs else "", ())
    mode, title = raw.get("mode", 0), raw.get("title")
    return Node(
        raw["id"],
        kind,
        mode if isinstance(mode, int) else 0,
        title if isinstance(title, str) else "",
        named_values(kind, raw.get("widgets_values")) if foreign(kind) else {},
        sources,
        [(input_name(entry, i), kind_of(entry.get("type"))) for i, entry in enumerate(inputs)],
        outputs,
        raw,
        widgets=frozenset(input_name(e, i) for i, e in enumerate(inputs) if e.get("widget")),
    )


def _boundary(number: int, entries: list[Any]) -> Node:
    pairs = [(str(e.get("name", "")), kind_of(e.get("type"))) for e in entries if isinstance(e, dict)]
    numbered = [(str(i), kind) for i, (_, kind) in enumerate(pairs)]
    return Node(number, "", 0, "", {}, {}, numbered, pairs, {})


def _drop_loose_ends(nodes: dict[Any, Node]) -> None:
    for node in nodes.values():
        for name, (origin, slot) in list(node.sources.items()):
            if origin not in nodes or slot >= max(1, len(nodes[origin].outputs)):
                del node.sources[name]


def _is_id(value: Any) -> bool:
    return isinstance(value, (int, str)) and not isinstance(value, bool)
