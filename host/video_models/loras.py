"""LoRAs on the MODEL of a video network:
what core's own Load LoRA cannot read, and everything that it can.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import comfy.lora
import comfy.lora_convert
import comfy.model_patcher
import torch

from ...foreign_text import printable
from ...video_unets.loras import LoraNames, biases_of_stable_lora, from_list, from_stable_lora, is_stable_lora
from ..files.model_files import find_model_file, read_content

LORAS = "loras"
NETWORK = "diffusion_model."


def load_video_lora(
    model: comfy.model_patcher.ModelPatcher, name: str, strength: float
) -> comfy.model_patcher.ModelPatcher:
    """A clone of the MODEL with a LoRA file added by a factor (0 = off, 1 = as trained).

    Raises ValueError when the MODEL is no video network, the file is missing, is no LoRA or fits no layer.
    """
    return add_video_lora(model, find_model_file(LORAS, name), strength)


def add_video_lora(
    model: comfy.model_patcher.ModelPatcher, path: str, strength: float
) -> comfy.model_patcher.ModelPatcher:
    """`load_video_lora` by path."""
    file_name = os.path.basename(path)
    if not hasattr(model.model, "system"):
        raise ValueError(
            "Load Video LoRA needs a MODEL from Load Video Model; for image checkpoints use Load LoRA."
        )
    names = _names(model)
    patches = _patches(model, read_content(path), names, file_name)
    if not patches:
        raise ValueError(
            f"'{printable(file_name)}' changes no layer of {model.model.system.title}: it was trained on "
            "another network or is no LoRA; choose a "
            f"LoRA that was trained on this one."
        )
    patched = model.clone()
    patched.add_patches(patches, strength)
    return patched


def _names(model) -> LoraNames:
    config = model.model.model_config.unet_config
    shapes = {key: tuple(value.shape) for key, value in model.model.diffusion_model.state_dict().items()}
    depth = config.get("transformer_depth", ())
    return LoraNames(
        shapes,
        config.get("num_res_blocks", ()),
        depth,
        model.model.model_config.saved_names,
        model.model.system.lora_modules,
    )


def _patches(model, content, names: LoraNames, file_name: str) -> dict:
    """Core's patches by the MODEL's keys."""
    own = {module: f"{NETWORK}{module}.weight" for module in names.weights}
    if isinstance(content, list):
        return comfy.lora.load_lora(from_list(content, names, file_name), own)
    if not isinstance(content, Mapping):
        raise ValueError(
            f"'{printable(file_name)}' holds a {type(content).__name__}; a LoRA is a set of named tensors or "
            "a list of matrices."
        )
    if is_stable_lora(content):
        patches = comfy.lora.load_lora(from_stable_lora(content, names, file_name), own)
        return patches | _bias_patches(model, biases_of_stable_lora(content, names))
    keys = comfy.lora.model_lora_keys_unet(model.model, {})
    keys |= {alias: f"{NETWORK}{module}.weight" for alias, module in names.peft_names().items()}
    return comfy.lora.load_lora(comfy.lora_convert.convert_lora(dict(content)), keys)


def _bias_patches(model, biases: Mapping[str, torch.Tensor]) -> dict:
    """Trained biases as changes of the MODEL's own, so that a strength can scale them."""
    state = model.model.diffusion_model.state_dict()
    patches = {}
    for module, value in biases.items():
        key = f"{NETWORK}{module}.bias"
        if f"{module}.bias" not in state:
            continue
        kept = model.backup.get(key)
        base = state[f"{module}.bias"] if kept is None else kept.weight
        patches[key] = ("diff", (value.float() - base.to(value.device).float(),))
    return patches
