"""Writes a converted level of a workflow back into the editor's form.

A node that nothing was done to keeps every value that it has; of those around it only links change. Links
keep their numbers where they end at an input that is still there, so that what is drawn of them stays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .graph import ANY, OUTSIDE, RESULTS, Node, Scope
from .layout import Places, size_of
from .read_ui import Json, input_name, kind_of, links_of, sockets_of
from .targets import Input, Targets

OPTIONAL_SHAPE = 7
PACK, CORE = "comfyui-zoetrope", "comfy-core"


class Numbers:
    """Ids of new nodes and links, behind all that a workflow has."""

    def __init__(self, workflow: Json, contents: list[Json]):
        ids = [n.get("id") for c in contents for n in c["nodes"] if isinstance(n, dict)]
        links = [number for content in contents for number in links_of(content)]
        self.node = max([*_whole(ids), *_whole(_counters(contents, "last_node_id", "lastNodeId"))], default=0)
        self.link = max(
            [*_whole(links), *_whole(_counters(contents, "last_link_id", "lastLinkId"))], default=0
        )

    def next_node(self) -> int:
        """A number that no node has."""
        self.node += 1
        return self.node

    def next_link(self) -> int:
        """A number that no link has."""
        self.link += 1
        return self.link

    def put_into(self, content: Json) -> None:
        """Writes the counters where a level has them."""
        for key, value in (("last_node_id", self.node), ("last_link_id", self.link)):
            if key in content:
                content[key] = value
        state = content.get("state")
        if isinstance(state, dict):
            state["lastNodeId"], state["lastLinkId"] = self.node, self.link


def list_of(holder: Json, key: str) -> list[Any]:
    """What a key holds, empty where that is no list."""
    value = holder.get(key)
    return value if isinstance(value, list) else []


def _counters(contents: list[Json], flat: str, nested: str) -> list[Any]:
    found = [content.get(flat) for content in contents]
    return found + [c["state"].get(nested) for c in contents if isinstance(c.get("state"), dict)]


def _whole(values: list[Any]) -> list[int]:
    return [v for v in values if isinstance(v, int) and not isinstance(v, bool)]


def write_scope(content: Json, scope: Scope, targets: Targets, numbers: Numbers) -> None:
    """Makes `content`, one level of a workflow, say what the scope does, in place."""
    old_links, keep_objects = links_of(content), any(isinstance(k, dict) for k in list_of(content, "links"))
    written = {raw.get("id"): raw for raw in content["nodes"] if isinstance(raw, dict)}
    places = Places([n.raw for n in scope.nodes.values() if n.raw and n.id in written])
    new = [node for node in scope.nodes.values() if node.is_new]
    made = {
        node.id: _new_node(node, targets, places, len(scope.nodes) + number)
        for number, node in enumerate(sorted(new, key=lambda node: not _is_main(node)))
    }
    kept = [node.id for node in scope.nodes.values() if node.id not in (OUTSIDE, RESULTS)]
    nodes = [made[node_id] if node_id in made else written[node_id] for node_id in kept]
    links = _write_links(scope, {raw["id"]: raw for raw in nodes}, content, old_links, numbers.next_link)
    known = {raw["id"]: at for at, raw in enumerate(content["nodes"]) if isinstance(raw, dict)}
    content["nodes"] = sorted(nodes, key=lambda raw: known.get(raw["id"], len(known)))
    before = {
        link["id"]: link
        for link in list_of(content, "links")
        if isinstance(link, dict) and isinstance(link.get("id"), (int, str))
    }
    content["links"] = [_as_object(link, before) for link in links] if keep_objects else links
    _forget_links(content, {link[0] for link in links})


def _write_links(
    scope: Scope, nodes: dict[Any, Json], content: Json, old: dict[Any, list], next_link: Callable[[], int]
) -> list[list]:
    """All links of the scope; the inputs and outputs of its nodes say the same afterwards."""
    kept = {(link[3], link[4]): number for number, link in old.items() if link[3] == RESULTS}
    owners = {(link[3], link[4]): number for number, link in old.items()}
    links, taken = [], set()
    for node in scope.nodes.values():
        for number, name, entry in _ends(node, nodes.get(node.id), content):
            source, before = node.sources.get(name), entry.get("link") if entry is not None else None
            if entry is None:
                before = kept.get((RESULTS, number))
            if source is None:
                if before is not None and entry is not None:
                    entry["link"] = None
                continue
            is_elsewhere = (
                before in old
                and owners.get((node.id, number)) != before
                and (before in taken or _has(nodes.get(old[before][3]), old[before][4], before))
            )  # two inputs of a damaged file have one link
            link = before if before in old and not is_elsewhere else next_link()
            taken.add(link)
            links.append([link, source[0], source[1], node.id, number, scope.type_of(source)])
            if entry is not None:
                entry["link"] = link
    known = {number: at for at, number in enumerate(old)}
    links.sort(key=lambda link: known.get(link[0], len(known)))
    for link in links:
        before = old.get(link[0])
        if before and before[1:3] == link[1:3]:
            link[5] = before[5] if scope.nodes[link[1]].raw is not None else link[5]
    _write_outputs(scope, nodes, content, links)
    return links


def _has(raw: Json | None, number: int, link: Any) -> bool:
    """Whether an input of a node says that the link ends there."""
    entries = sockets_of(raw, "inputs") if raw else []
    return 0 <= number < len(entries) and entries[number].get("link") == link


def _ends(node: Node, raw: Json | None, content: Json) -> list[tuple[int, str, Json | None]]:
    """(number, name, entry) of each input."""
    if node.id == RESULTS:
        return [(int(name), name, None) for name in node.sources]
    entries = sockets_of(raw, "inputs") if raw else []
    return [(i, input_name(entry, i), entry) for i, entry in enumerate(entries)]


def _write_outputs(scope: Scope, nodes: dict[Any, Json], content: Json, links: list[list]) -> None:
    of_output: dict[tuple[Any, int], list] = {}
    for link in links:
        of_output.setdefault((link[1], link[2]), []).append(link[0])
    for node_id, raw in nodes.items():
        kinds = scope.nodes[node_id].outputs
        if (node_id, 0) in of_output and not sockets_of(raw, "outputs"):  # lost by a damaged file
            raw["outputs"] = [{"name": "*", "type": "*", "links": []}]
        for slot, entry in enumerate(sockets_of(raw, "outputs")):
            given, before = of_output.get((node_id, slot), []), list_of(entry, "links")
            if sorted(map(str, given)) != sorted(map(str, before)):
                entry["links"] = given
            kind = kinds[slot][1] if slot < len(kinds) else ANY
            if kind not in (ANY, kind_of(entry.get("type"))):
                entry["type"] = kind
    for key, end, slot in (("inputs", 1, 2), ("outputs", 3, 4)):
        boundary = OUTSIDE if key == "inputs" else RESULTS
        for number, entry in enumerate(list_of(content, key)) if boundary in scope.nodes else ():
            if isinstance(entry, dict):
                found = [link[0] for link in links if link[end] == boundary and link[slot] == number]
                if sorted(map(str, found)) != sorted(map(str, list_of(entry, "linkIds"))):
                    entry["linkIds"] = found


def _is_main(node: Node) -> bool:
    """Whether it has the number of the node that it takes the place of."""
    return node.place_of is not None and node.id == node.place_of.id


def _new_node(node: Node, targets: Targets, places: Places, order: int) -> Json:
    inputs = list(targets.inputs(node.type).values())
    old = (node.place_of.raw or {}) if node.place_of else {}
    size = size_of(inputs, len(node.outputs))
    raw: Json = {
        "id": node.id, "type": node.type, "pos": places.take(old, size, _is_main(node)),
        "size": size, "flags": {}, "order": order, "mode": node.mode,
        "inputs": _inputs_of(node, inputs),
        "outputs": [{"name": name, "type": kind, "links": []} for name, kind in node.outputs],
    }  # fmt: skip
    if node.title:
        raw["title"] = node.title
    raw["properties"] = {
        "cnr_id": PACK if targets.is_ours(node.type) else CORE, "Node name for S&R": node.type,
    }  # fmt: skip
    raw["widgets_values"] = widget_values(node, inputs)
    raw |= {key: old[key] for key in ("color", "bgcolor") if key in old}
    return raw


def _inputs_of(node: Node, inputs: list[Input]) -> list[Json]:
    """Sockets first, then widgets, as the editor has them."""
    written = []
    for entry in sorted(inputs, key=lambda entry: entry.has_widget):
        kind = entry.type
        if kind.startswith("COMFY_MATCHTYPE"):
            kind = next((k for _, k in node.outputs if k not in ("*", "INT")), "*")
        raw: Json = {"name": entry.name, "type": kind}
        if entry.is_optional:
            raw["shape"] = OPTIONAL_SHAPE
        if entry.has_widget:
            raw["widget"] = {"name": entry.name}
        written.append(raw | {"link": None})
    return written


def widget_values(node: Node, inputs: list[Input]) -> list[Any]:
    """Values in the order of the widgets, with what the editor puts between them."""
    values: list[Any] = []
    for entry in inputs:
        if entry.has_widget:
            values.append((node.values or {}).get(entry.name, entry.default))
            values += ["fixed"] if entry.control else []
    return values + ["image" for entry in inputs if entry.upload]


def _as_object(link: list, before: dict[Any, Json]) -> Json:
    keys = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")
    return before.get(link[0], {}) | dict(zip(keys, link, strict=True))


def _forget_links(content: Json, links: set) -> None:
    """Takes links that are gone out of what is drawn of them."""
    extra = content.get("extra")
    for holder, key in ((content, "reroutes"), (extra, "reroutes"), (extra, "linkExtensions")):
        entries = holder.get(key) if isinstance(holder, dict) else None
        if not isinstance(entries, list):
            continue
        if key == "linkExtensions":
            holder[key] = [
                e
                for e in entries
                if isinstance(e, dict) and isinstance(e.get("id"), (int, str)) and e["id"] in links
            ]
            continue
        for entry in entries:
            ids = entry.get("linkIds") if isinstance(entry, dict) else None
            if isinstance(ids, list) and not links.issuperset(
                n for n in ids if not isinstance(n, (list, dict))
            ):
                entry["linkIds"] = [n for n in ids if not isinstance(n, (list, dict)) and n in links]
