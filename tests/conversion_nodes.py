"""What ComfyUI said about the nodes that conversions write, kept for tests that have no ComfyUI.

`python dev.py run tests.conversion_nodes` writes the file anew from the ComfyUI that is there; a test of the
comfy tier fails where it says something else.
"""

from __future__ import annotations

import json
import re
from typing import Any

from .places import ROOT

FILE = ROOT / "tests" / "data" / "conversion_nodes.json"
OTHERS = ("CLIPSetLastLayer", "CLIPTextEncode", "ImageScale", "KSampler", "LoraLoader", "PreviewImage",
          "SaveLatent", "VAELoader")  # fmt: skip
KEPT = (
    "default",
    "min",
    "max",
    "forceInput",
    "control_after_generate",
    "widgetType",
    "options",
    "video_upload",
    "image_upload",
    "audio_upload",
)
FILES = ("motion_module", "lora_name", "control_net_name", "ckpt_name", "file", "source", "audio", "image",
         "vae_name")  # fmt: skip


def load_nodes() -> dict[str, Any]:
    """The recorded part of /object_info."""
    return json.loads(FILE.read_text(encoding="utf8"))


def chosen(object_info: dict[str, Any]) -> dict[str, Any]:
    """The nodes that rules name and some more, with what a conversion reads, and no files of this machine."""
    rules = (ROOT / "workflow_conversion").rglob("*.py")
    named = set(re.findall(r'"(\w+)"', "".join(path.read_text(encoding="utf8") for path in rules)))
    kinds = sorted((named | set(OTHERS)) & set(object_info))
    return {kind: _shortened(object_info[kind]) for kind in kinds}


def _shortened(info: dict[str, Any]) -> dict[str, Any]:
    groups = ("required", "optional")
    inputs = {g: {n: _spec(n, s) for n, s in (info["input"].get(g) or {}).items()} for g in groups}
    order = {group: info["input_order"].get(group) or [] for group in groups}
    kept = {name: info[name] for name in ("display_name", "output", "output_name")}
    return {**kept, "input": inputs, "input_order": order}


def _spec(name: str, spec: list) -> list:
    kind, options = spec[0], spec[1] if len(spec) > 1 and isinstance(spec[1], dict) else {}
    if isinstance(kind, list):
        kind, options = "COMBO", {**options, "options": kind}
    kept = {key: options[key] for key in KEPT if key in options}
    if name in FILES and "options" in kept:
        kept["options"] = []
    return [kind, kept]


if __name__ == "__main__":
    from ..demo.convert_workflow import object_info

    text = json.dumps(chosen(object_info()), indent=1, ensure_ascii=False)
    FILE.write_text(text + "\n", encoding="utf8")
