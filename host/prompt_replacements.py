"""Exchanges the nodes of our list in a prompt before ComfyUI does, because its own exchange fails on prompts written by hand.

ComfyUI 0.30 (app/node_replace_manager.py) looks up `_meta` and every input of a node that it exchanges, and the old names of inputs
behind a renumbered output. Where one of them is missing, the prompt gets HTTP 500. A prompt that was exchanged here holds nothing that
ComfyUI would exchange for us; what an exchanged node lacks is named by ComfyUI's validation, as for every other node.

Example: {"3": {"class_type": "VHS_DuplicateLatents", "inputs": {"latents": ["1", 0]}}} becomes
{"3": {"class_type": "ZoetropeRepeatFrames", "inputs": {"frames": ["1", 0], "each_frame": False}}}, and is refused for want of `times`.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Any

import nodes as installed_nodes

from .node_replacements import REPLACEMENTS, Replacement

BY_OLD_NAME = {replacement.old: replacement for replacement in REPLACEMENTS}


def exchange_nodes(prompt: dict[str, Any], installed: Container[str]) -> None:
    """Exchanges, in place, the nodes of a prompt (node number -> node) whose type is on our list and not `installed`.

    Nodes of other types stay as they are, except for links to an exchanged node whose outputs have other numbers.
    Whatever else a prompt may be made of is left for ComfyUI to judge.
    """
    found = {number: _replacement_of(node, installed) for number, node in prompt.items()}
    found = {number: replacement for number, replacement in found.items() if replacement}
    for number, replacement in found.items():
        prompt[number] = _exchanged(prompt[number], replacement)
    renumbered = {number: replacement.outputs for number, replacement in found.items() if replacement.outputs}
    if renumbered:
        for node in prompt.values():
            _renumber_links(node, renumbered)


def _replacement_of(node: Any, installed: Container[str]) -> Replacement | None:
    kind = node.get("class_type") if isinstance(node, dict) else None
    if not isinstance(kind, str) or kind in installed:
        return None
    replacement = BY_OLD_NAME.get(kind)
    return replacement if replacement and replacement.new in installed else None


def _exchanged(node: dict[str, Any], replacement: Replacement) -> dict[str, Any]:
    given = node.get("inputs")
    given = given if isinstance(given, dict) else {}
    inputs = {new: given[old] for old, new in replacement.inputs.items() if old in given}
    return {**node, "class_type": replacement.new, "inputs": inputs | replacement.values}


def _renumber_links(node: Any, renumbered: dict[str, dict[int, int]]) -> None:
    inputs = node.get("inputs") if isinstance(node, dict) else None
    if not isinstance(inputs, dict):
        return
    for name, value in inputs.items():
        if isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], int | float):
            inputs[name] = [value[0], renumbered.get(value[0], {}).get(value[1], value[1])]


def _on_prompt(request: Any) -> Any:
    """The handler: `request` is the decoded body of POST /prompt, whatever that is."""
    prompt = request.get("prompt") if isinstance(request, dict) else None
    if isinstance(prompt, dict):
        exchange_nodes(prompt, installed_nodes.NODE_CLASS_MAPPINGS)
    return request


def register_prompt_handler() -> None:
    """Lets the running server call the handler before it exchanges nodes itself."""
    from server import PromptServer  # there is none where ComfyUI is only imported

    PromptServer.instance.add_on_prompt_handler(_on_prompt)
