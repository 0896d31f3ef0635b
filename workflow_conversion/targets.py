"""What the converter knows of the nodes that it writes: ComfyUI's /object_info, asked by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .graph import ANY, Left

WIDGET_TYPES = frozenset({"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO", "COLOR"})
UPLOADS = {"image_upload": "upload", "video_upload": "upload", "audio_upload": "upload"}
MATCHED = "COMFY_MATCHTYPE_V3"


@dataclass(frozen=True)
class Input:
    """One input of a node. has_widget: a value can be typed in. control: a widget that says what a run does
    with the number stands behind it. upload: a button that saves a value stands behind all of them.
    """

    name: str
    type: str
    default: Any
    is_optional: bool
    has_widget: bool
    control: bool
    upload: str
    choices: tuple[Any, ...] | None
    least: float | None
    most: float | None

    def takes(self, kind: str) -> bool:
        """Whether ComfyUI lets an output of that type be wired here."""
        return kinds_agree(kind, self.type)


class Targets:
    """object_info as a table of inputs; a node that is not in it cannot be written."""

    def __init__(self, object_info: Mapping[str, Any]):
        self._info, self._known = object_info, {}

    def __contains__(self, kind: object) -> bool:
        return isinstance(kind, str) and kind in self._info

    def inputs(self, kind: str) -> dict[str, Input]:
        """The inputs of a node by name, in the schema's order. Raises Left for one that is not installed."""
        if kind not in self._known:
            if kind not in self._info:
                raise Left(f"this ComfyUI has no node {kind}; update it")
            self._known[kind] = {entry.name: entry for entry in _inputs(self._info[kind])}
        return self._known[kind]

    def outputs(self, kind: str) -> list[tuple[str, str]]:
        """(name, type) of the outputs."""
        info = self._info[kind]
        names = info.get("output_name") or info["output"]
        return [
            (str(n), t if isinstance(t, str) else "COMBO")
            for n, t in zip(names, info["output"], strict=False)
        ]

    def display_name(self, kind: str) -> str:
        """What the editor calls a node."""
        return self._info.get(kind, {}).get("display_name") or kind

    def is_ours(self, kind: str) -> bool:
        """Whether it belongs to this pack, not to ComfyUI."""
        return kind.startswith("Zoetrope")


def _inputs(info: Mapping[str, Any]) -> Iterator[Input]:
    for group in ("required", "optional"):
        specs = (info.get("input") or {}).get(group) or {}
        order = (info.get("input_order") or {}).get(group) or list(specs)
        for name in order:
            yield _input(name, specs[name], group == "optional")


def _input(name: str, spec: list[Any], is_optional: bool) -> Input:
    kind, options = spec[0], spec[1] if len(spec) > 1 and isinstance(spec[1], dict) else {}
    choices = kind if isinstance(kind, list) else options.get("options")
    kind = "COMBO" if isinstance(kind, list) else kind
    shown = options.get("widgetType", kind)
    has_widget = shown in WIDGET_TYPES and not options.get("forceInput")
    empty = {"INT": 0, "FLOAT": 0.0, "STRING": "", "BOOLEAN": False, "COMBO": (choices or [None])[0]}
    return Input(
        name, kind, options.get("default", empty.get(shown)), is_optional, has_widget,
        bool(options.get("control_after_generate")),
        next((button for flag, button in UPLOADS.items() if options.get(flag)), ""),
        tuple(c for c in choices if not isinstance(c, dict)) if choices else None,
        options.get("min"), options.get("max"),
    )  # fmt: skip


def kinds_agree(given: str, wanted: str) -> bool:
    """Whether types of an output and an input have one in common, as ComfyUI's validation compares them."""
    if ANY in (given, wanted) or MATCHED in (given, wanted):
        return True
    return bool(set(given.split(",")) & set(wanted.split(",")))
