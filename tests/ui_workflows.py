"""Small workflows in the editor's form, written as nodes that name what is wired to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Sockets = Sequence[tuple[str, str]]


def node(
    kind: str, inputs: Mapping[str, Any] = (), outputs: Sockets = (), values: Any = None, **more
) -> dict:
    """One node. inputs: name -> (type, id of a node, number of its output), (type,) for an open one; a fourth
    part says that it is a widget.
    """
    return {"kind": kind, "inputs": dict(inputs), "outputs": list(outputs), "values": values, **more}


def workflow(nodes: Mapping[int, dict], **more: Any) -> dict:
    """A workflow of version 0.4."""
    links: list[list] = []
    written = [_written(number, entry, nodes, links) for number, entry in nodes.items()]
    for raw in written:
        for slot, output in enumerate(raw["outputs"]):
            output["links"] = [link[0] for link in links if link[1] == raw["id"] and link[2] == slot]
    return {
        "last_node_id": max(nodes), "last_link_id": len(links), "nodes": written, "links": links,
        "groups": [], "config": {}, "extra": {}, "version": 0.4, **more,
    }  # fmt: skip


def _written(number: int, entry: dict, nodes: Mapping[int, dict], links: list[list]) -> dict:
    inputs = []
    for at, (name, (kind, *source)) in enumerate(entry["inputs"].items()):
        socket: dict[str, Any] = {"name": name, "type": kind, "link": None}
        if len(source) > 2:
            socket["widget"] = {"name": name}
        if source:
            socket["link"] = len(links) + 1
            origin, slot = source[:2]
            given = nodes[origin]["outputs"][slot][1] if origin in nodes else kind
            links.append([socket["link"], origin, slot, number, at, given])
        inputs.append(socket)
    raw = {
        "id": number, "type": entry["kind"], "pos": [400 * number, 100], "size": [300, 120], "flags": {},
        "order": number, "mode": entry.get("mode", 0), "inputs": inputs,
        "outputs": [{"name": name, "type": kind, "links": []} for name, kind in entry["outputs"]],
        "properties": {"Node name for S&R": entry["kind"]}, "widgets_values": entry["values"] or [],
    }  # fmt: skip
    return raw | ({"title": entry["title"]} if "title" in entry else {})


MODEL = [("MODEL", "MODEL")]
CHECKPOINT = node("CheckpointLoaderSimple", {}, [*MODEL, ("CLIP", "CLIP"), ("VAE", "VAE")], ["a.safetensors"])
LATENT = node("EmptyLatentImage", {}, [("LATENT", "LATENT")], [64, 64, 16])


def sampler(model: tuple[int, int], latent: tuple[int, int], **more) -> dict:
    """A KSampler."""
    inputs = {"model": ("MODEL", *model), "latent_image": ("LATENT", *latent)}
    conds = {name: ("CONDITIONING", *more.pop(name)) for name in ("positive", "negative") if name in more}
    values = [7, "fixed", 20, 8, "euler", "normal", 1]
    return node("KSampler", inputs | conds, [("LATENT", "LATENT")], values, **more)


def by_type(data: dict, kind: str) -> list[dict]:
    """The nodes of a type, of a workflow or of a prompt."""
    if "nodes" in data:
        return [raw for raw in data["nodes"] if raw["type"] == kind]
    return [raw for raw in data.values() if raw["class_type"] == kind]


def source_of(data: dict, raw: dict, name: str) -> tuple[str, int] | None:
    """(type of the node, number of its output) that is wired to an input of a workflow's node."""
    (entry,) = [entry for entry in raw["inputs"] if entry["name"] == name]
    links = {link[0]: link for link in data["links"]}
    if entry["link"] is None:
        return None
    _, origin, slot, *_ = links[entry["link"]]
    (kind,) = [node["type"] for node in data["nodes"] if node["id"] == origin]
    return kind, slot


def values_of(raw: dict, nodes: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a written node by the names of its widgets."""
    order = [name for group in ("required", "optional") for name in nodes[raw["type"]]["input_order"][group]]
    widgets = [entry["name"] for entry in raw["inputs"] if "widget" in entry]
    return dict(zip([name for name in order if name in widgets], raw["widgets_values"], strict=False))
