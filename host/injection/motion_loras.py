"""MotionLoRAs on a motion module: what a file changes, and what is odd about it."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from dataclasses import replace

from comfy.weight_adapter.lora import LoRAAdapter

from ...foreign_text import printable
from ...motion_modules.animatediff.layers import MotionModel
from ...motion_modules.animatediff.motion_lora import (
    LowRankChange,
    keys_outside_motion_modules,
    read_motion_lora,
)
from ..files.model_files import MOTION_LORAS, find_model_file, read_tensors
from ..node_notes import current_node, say
from .motion_models import MotionModule, head_of, with_a_network_of_its_own


def add_motion_lora(module: MotionModule, name: str, strength: float) -> MotionModule:
    """The module with a MotionLoRA file added by a factor (0 = off, 1 = as trained); module is not changed.

    Weights that the module does not have (the middle block of v2 LoRAs on v1 and v3) are left out, as in the
    reference; the node and the log say so.
    Raises ValueError when the file is missing, something else, damaged, or its shapes do not fit.
    """
    return add_motion_lora_from_file(module, find_model_file(MOTION_LORAS, name), strength)


def add_motion_lora_from_file(module: MotionModule, path: str, strength: float) -> MotionModule:
    """`add_motion_lora` by path."""
    if not math.isfinite(strength):
        raise ValueError(f"strength={strength} must be a finite number; 1 is as trained, 0 is off.")
    name = os.path.basename(path)
    if not isinstance(module.patcher.model, MotionModel):
        raise ValueError(
            f"the MotionLoRA '{printable(name)}' is for AnimateDiff's modules, '{printable(module.name)}' is"
            f" a module of {printable(module.method.name)}; use it with an AnimateDiff module."
        )
    content = read_tensors(path)
    changes = read_motion_lora(content, name, _alpha_beside_the_tensors(path, name))
    kept = [c for c in changes if module.config.has_mid or not c.key.startswith("mid_block.")]
    patches = _patches(module, kept, name)
    outside = keys_outside_motion_modules(content)
    for text in _what_is_odd(module, name, strength, changes, len(kept), outside):
        say(text, current_node())
    return _with_patches(module, patches, name, strength)


def add_changes(
    module: MotionModule, changes: list[LowRankChange], name: str, strength: float
) -> MotionModule:
    """`add_motion_lora` for changes that are in memory, all of which the module has."""
    return _with_patches(module, _patches(module, changes, name), name, strength)


def _with_patches(module: MotionModule, patches: dict, name: str, strength: float) -> MotionModule:
    patcher = with_a_network_of_its_own(module)
    patcher.add_patches(patches, strength)
    return replace(module, patcher=patcher, name=f"{module.name} + {name}")


def _patches(module: MotionModule, changes: list[LowRankChange], name: str) -> dict:
    """ComfyUI's patches of the module's weights."""
    weights = dict(module.patcher.model.named_parameters())
    patches = {}
    for change in changes:
        if change.key not in weights:
            raise ValueError(
                f"the MotionLoRA '{printable(name)}' changes '{printable(change.key)}', which "
                f"'{printable(module.name)}' does not have; use it with a motion module for the same kind of "
                "checkpoint."
            )
        rows, columns = weights[change.key].shape
        rows = rows if change.part is None else rows // 3
        if (change.up.shape[0], change.down.shape[1]) != (rows, columns):
            raise ValueError(
                f"the MotionLoRA '{printable(name)}' is made for {change.down.shape[1]} channels (to "
                f"{change.up.shape[0]}) at '{printable(change.key)}', '{printable(module.name)}' has "
                f"{columns} (to {rows}); use it with a motion module for the same kind of checkpoint."
            )
        target = change.key if change.part is None else (change.key, (0, change.part * rows, rows))
        patches[target] = LoRAAdapter(set(), (change.up, change.down, change.alpha, None, None, None))
    return patches


def _alpha_beside_the_tensors(path: str, name: str) -> float | None:
    """The alpha of all pairs that diffusers writes into the head of a .safetensors file; None without one.

    Source: diffusers, loaders/lora_base.py ("lora_adapter_metadata": PEFT's LoraConfig as JSON).
    """
    text = head_of(path).get("lora_adapter_metadata", "{}")
    try:
        settings = json.loads(text)
        settings = {k.rpartition(".")[2]: v for k, v in settings.items() if not k.startswith("text_encoder")}
        alpha = settings.get("lora_alpha")
        alpha = None if alpha is None else float(alpha)
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(
            f"the MotionLoRA '{printable(name)}' has settings that cannot be read ({printable(error)}); "
            "save it again."
        ) from error
    if alpha is not None and not math.isfinite(alpha):
        raise ValueError(
            f"the MotionLoRA '{printable(name)}' has lora_alpha={alpha}, which is no number; save it again."
        )
    if settings.get("alpha_pattern") or settings.get("use_rslora"):
        raise ValueError(
            f"the MotionLoRA '{printable(name)}' scales its layers by alpha_pattern or use_rslora, which "
            "cannot be applied; save it with one lora_alpha for all layers."
        )
    return alpha


def _what_is_odd(
    module: MotionModule,
    name: str,
    strength: float,
    changes: list[LowRankChange],
    num_kept: int,
    outside: list[str],
) -> Iterator[str]:
    """Sentences for the person about a file that runs, but may not do what is expected of it."""
    version, sites = module.config.version, set(module.config.site_channels)
    changed_sites = {change.key.split(".temporal_transformer.")[0] for change in changes}
    without_middle = {site for site in sites if not site.startswith("mid_block.")}
    if strength == 0:
        yield f"The MotionLoRA '{printable(name)}' is off: its strength is 0."
    if num_kept < len(changes):
        yield (
            f"The MotionLoRA '{printable(name)}' was made for v2 and '{printable(module.name)}' is {version}:"
            f" {len(changes) - num_kept} of its {len(changes)} changes are for a middle block that {version}"
            " does not have. The movement may be weak or another; use a v2 module."
        )
    elif module.config.has_mid and changed_sites == without_middle:
        yield (
            f"The MotionLoRA '{printable(name)}' changes nothing in the middle block, "
            f"'{printable(module.name)}' is {version} and has one: the file was made for a v1 or v3 module. "
            "The movement may be weak or another."
        )
    if outside:
        yield (
            f"The MotionLoRA '{printable(name)}' has {len(outside)} tensors that are for the checkpoint, "
            f"not for a motion module, e.g. '{printable(outside[0])}'. Load the file with Load LoRA too."
        )
