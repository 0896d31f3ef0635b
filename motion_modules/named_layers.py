"""Layers under the names of a published file."""

from __future__ import annotations

from torch import nn


def add_at_path(root: nn.Module, path: str, module: nn.Module) -> None:
    """Puts a module at a dotted path below root, so that its parameters have the names of a file.

    `add_at_path(root, "down_blocks.0.attn", layer)` gives root the parameter down_blocks.0.attn.weight.
    """
    *parents, name = path.split(".")
    for parent in parents:
        if not hasattr(root, parent):
            root.add_module(parent, nn.Module())
        root = getattr(root, parent)
    root.add_module(name, module)
