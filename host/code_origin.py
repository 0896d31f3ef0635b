"""Where a function, class or object of another part comes from, by the name of its module."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import comfy.hooks

_CORE_NODES = Path(comfy.hooks.__file__).resolve().parents[1] / "comfy_extras"


def plain(part: object) -> object:
    """The function of a bound method or a partial, else the object itself."""
    while isinstance(part, partial):
        part = part.func
    return getattr(part, "__func__", part)


def module_name(part: object) -> str:
    """The module of a function, a class or an object's class; of core's nodes "comfy_extras.nodes_...".

    A running ComfyUI loads core's nodes as "nodes_...", and other packs under the path of their folder.
    """
    part = plain(part)
    name = (part.__module__ if hasattr(part, "__qualname__") else type(part).__module__) or ""
    file = Path(getattr(sys.modules.get(name), "__file__", None) or ".").resolve()
    return f"{_CORE_NODES.name}.{file.stem}" if file.parent == _CORE_NODES else name
