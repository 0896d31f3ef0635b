"""Motion modules as ComfyUI models: loaded once, with memory managed by ComfyUI, never part of the checkpoint."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

import comfy.model_management
import comfy.model_patcher
import comfy.ops
import torch
from comfy.weight_adapter.lora import LoRAAdapter

from ..foreign_text import printable
from ..motion_modules.animatediff import MotionConfig, MotionModel
from ..motion_modules.formats import read_motion_module
from ..motion_modules.motion_lora import read_motion_lora
from .model_files import MOTION_LORAS, MOTION_MODULES, find_model_file, read_tensors


@dataclass(frozen=True)
class MotionModule:
    """What travels on a MOTION_MODULE link: a patcher that owns the weights, and where they came from."""

    patcher: comfy.model_patcher.ModelPatcher
    config: MotionConfig
    name: str


def load_motion_module(name: str) -> MotionModule:
    """Loads a file of the motion module folders. Raises ValueError when it is missing, damaged or something else."""
    return motion_module_from_file(find_model_file(MOTION_MODULES, name))


def motion_module_from_file(path: str) -> MotionModule:
    """Loads a motion module by path: built without memory, the file's tensors assigned, in the dtype ComfyUI would choose."""
    name = os.path.basename(path)
    config, state_dict = read_motion_module(read_tensors(path), name)
    device = comfy.model_management.get_torch_device()
    parameters = sum(v.numel() for v in state_dict.values())
    dtype = comfy.model_management.unet_dtype(
        device=device, model_params=parameters, supported_dtypes=[torch.float16, torch.bfloat16, torch.float32]
    )
    model = MotionModel(config, operations=comfy.ops.manual_cast, device="meta")
    # Position tables stay float32: they are small and their rounding is what the reference avoids.
    state_dict = {k: v.to(torch.float32 if k.endswith("pos_encoder.pe") else dtype) for k, v in state_dict.items()}
    model.load_state_dict(state_dict, strict=True, assign=True)
    model.requires_grad_(False).eval()
    patcher = comfy.model_patcher.CoreModelPatcher(
        model, load_device=device, offload_device=comfy.model_management.unet_offload_device()
    )
    return MotionModule(patcher, config, name)


def add_motion_lora(module: MotionModule, name: str, strength: float) -> MotionModule:
    """The motion module with a MotionLoRA file added by a factor (0 = off, 1 = as trained); module is not changed.

    Weights that the module does not have (the middle block of v2 LoRAs on v1 and v3) are left out, as in the reference.
    Raises ValueError when the file is missing, something else or its shapes do not fit.
    """
    return add_motion_lora_from_file(module, find_model_file(MOTION_LORAS, name), strength)


def add_motion_lora_from_file(module: MotionModule, path: str, strength: float) -> MotionModule:
    """`add_motion_lora` by path."""
    name = os.path.basename(path)
    changes = read_motion_lora(read_tensors(path), name)
    weights = dict(module.patcher.model.named_parameters())
    patches = {}
    for change in changes:
        if change.key not in weights:
            if change.key.startswith("mid_block.") and not module.config.has_mid:
                continue
            raise ValueError(
                f"the MotionLoRA '{printable(name)}' changes '{printable(change.key)}', which "
                f"'{printable(module.name)}' does not have; use it with a motion module for the same kind of checkpoint."
            )
        channels = weights[change.key].shape[1]
        if change.up.shape[0] != channels or change.down.shape[-1] != channels:
            raise ValueError(
                f"the MotionLoRA '{printable(name)}' is made for {change.up.shape[0]} channels at "
                f"'{printable(change.key)}', '{printable(module.name)}' has {channels}; use it with a motion module for "
                f"the same kind of checkpoint."
            )
        target = change.key if change.part is None else (change.key, (0, change.part * channels, channels))
        patches[target] = LoRAAdapter(set(), (change.up, change.down, None, None, None, None))
    patcher = module.patcher.clone()
    patcher.add_patches(patches, strength)
    return replace(module, patcher=patcher, name=f"{module.name} + {name}")
