"""Exchanges the nodes of our list in a prompt, before ComfyUI does, which fails on prompts written by hand.
Prompts with other nodes of those packs are converted as a whole (conversion.py).

ComfyUI 0.30 (app/node_replace_manager.py) looks up `_meta` and every input of a node that it exchanges, and
the old names of inputs behind a renumbered output. Where one is missing, the prompt gets HTTP 500. A prompt
exchanged here has nothing left for it; what an exchanged node lacks is named by ComfyUI's validation.

Example: {"class_type": "VHS_DuplicateLatents", "inputs": {"latents": ["1", 0]}} becomes {"class_type":
"ZoetropeRepeatFrames", "inputs": {"frames": ["1", 0], "each_frame": False}}, in which `times` is lacking.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Any

import nodes as installed_nodes

from ...workflow_conversion.rules import is_foreign
from .conversion import convert_missing
from .node_replacements import REPLACEMENTS, Replacement

BY_OLD_NAME = {replacement.old: replacement for replacement in REPLACEMENTS}


def exchange_nodes(prompt: dict[str, Any], installed: Container[str]) -> None:
    """Exchanges, in place, nodes of a prompt (number -> node) that are on our list and not installed.

    Other nodes stay as they are, except for their links to outputs that get another number.
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
        match value:
            case [str() as number, int() | float() as output] if number in renumbered:
                inputs[name] = [number, renumbered[number].get(output, output)]


def _has_more_than_exchanges(prompt: dict[str, Any]) -> bool:
    """Whether nodes are missing that only whole rules convert, which take the listed ones with them."""
    kinds = {node.get("class_type") for node in prompt.values() if isinstance(node, dict)}
    missing = {kind for kind in kinds if isinstance(kind, str)} - set(installed_nodes.NODE_CLASS_MAPPINGS)
    return any(is_foreign(kind) and kind not in BY_OLD_NAME for kind in missing)


def _on_prompt(request: Any) -> Any:
    """The handler: `request` is the decoded body of POST /prompt, whatever that is."""
    prompt = request.get("prompt") if isinstance(request, dict) else None
    if isinstance(prompt, dict):
        if _has_more_than_exchanges(prompt):
            prompt = request["prompt"] = convert_missing(prompt)
        exchange_nodes(prompt, installed_nodes.NODE_CLASS_MAPPINGS)
    return request


def register_prompt_handler() -> None:
    """Lets the running server call the handler before it exchanges nodes itself."""
    from server import PromptServer  # there is none where ComfyUI is only imported

    PromptServer.instance.add_on_prompt_handler(_on_prompt)
