"""Motion modules as ComfyUI models: loaded once, memory managed by ComfyUI, never part of a checkpoint."""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import comfy.model_management
import comfy.model_patcher
import comfy.ops
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from ...foreign_text import printable
from ...motion_modules.file_tensors import plain_tensors
from ...motion_modules.method import TemporalMethod, claimed_by
from ...motion_modules.methods import METHODS
from ...motion_modules.unet_places import UNetPlaces
from ..files.model_files import MOTION_MODULES, find_model_file, read_tensors
from ..files.output_names import write_to_output
from .places import places_in
from .run_inputs import RunInputs


@dataclass(frozen=True)
class MotionModule:
    """What travels on a MOTION_MODULE link: a patcher that owns the weights, where they came from, and what
    was wired in besides.
    """

    patcher: comfy.model_patcher.ModelPatcher
    method: TemporalMethod
    config: Any
    name: str
    is_untrained: bool = False
    inputs: RunInputs | None = None
    node = "Apply Motion Module"

    @property
    def title(self) -> str:
        """What kind of module it is, for a person."""
        return self.method.title(self.config)


def load_motion_module(name: str) -> MotionModule:
    """Loads a file of the motion module folders. Raises ValueError when it is missing, damaged or another."""
    return motion_module_from_file(find_model_file(MOTION_MODULES, name))


def motion_module_from_file(path: str) -> MotionModule:
    """Loads a motion module by path: the file's tensors are assigned, in the dtype ComfyUI would choose."""
    name = os.path.basename(path)
    tensors = plain_tensors(read_tensors(path))
    # A file that no method claims is refused by AnimateDiff's, which most files are meant for.
    method = claimed_by(METHODS, tensors) or METHODS["AnimateDiff"]
    head = head_of(path)
    if head.get("method", method.name) != method.name:
        raise ValueError(
            f"'{printable(name)}' says that it is a module of {printable(head['method'])}, its keys are "
            f"those of {method.name}; its head was changed, or written by another program: save it again."
        )
    config, weights = method.read(tensors, name)
    device = comfy.model_management.get_torch_device()
    parameters = sum(v.numel() for v in weights.values())
    dtype = comfy.model_management.unet_dtype(
        device=device,
        model_params=parameters,
        supported_dtypes=[torch.float16, torch.bfloat16, torch.float32],
    )
    del tensors  # so that a mapped file can be closed
    module = module_from_weights(method, config, weights, name, dtype)
    return replace(module, is_untrained=head.get("trained") == "no")


def module_from_weights(
    method: TemporalMethod, config: Any, weights: dict[str, torch.Tensor], name: str, dtype: torch.dtype
) -> MotionModule:
    """A module around weights as `method.read` gives them, in dtype; `weights` is emptied."""
    return _module_of(_network(method, config, _in_dtype(weights, method, dtype)), method, config, name)


def with_inputs(module: MotionModule, method: TemporalMethod, inputs: RunInputs, takes: str) -> MotionModule:
    """The module with what its method needs besides the weights; module itself is not changed.

    Raises ValueError for a module of another method than this one. takes: what that does not take, in words.
    """
    if module.method is not method:
        raise ValueError(
            f"'{printable(module.name)}' is a module of {module.method.name}, which takes no {takes}; wire a "
            f"module of {method.name}, and apply this one besides with another Apply Motion Module."
        )
    return replace(module, inputs=inputs)


def head_of(path: str) -> dict[str, str]:
    """What a .safetensors file says of itself beside its tensors; empty for other files."""
    if not path.lower().endswith((".safetensors", ".sft")):
        return {}
    with safe_open(path, "pt") as file:
        return file.metadata() or {}


def _in_dtype(weights: dict[str, torch.Tensor], method: TemporalMethod, dtype: torch.dtype) -> dict:
    """The weights in the dtype that each should have; `weights` is emptied, so that memory never holds both.

    What changes is first copied out of a mapped file: its pages count as memory until its last tensor goes.
    """
    wanted = {k: torch.float32 if method.keeps_float32(k) else dtype for k in weights}
    for key, own in wanted.items():
        if weights[key].dtype != own:
            weights[key] = weights[key].clone()
    return {key: weights.pop(key).to(own) for key, own in wanted.items()}


def new_motion_module(method: TemporalMethod, places: UNetPlaces) -> MotionModule:
    """An untrained module for a UNet, which changes nothing yet: where training begins."""
    config = method.new(places)
    weights = method.build(config).state_dict()  # torch's layers fill theirs, core's do not
    module = _module_of(_network(method, config, weights), method, config, f"new {method.name}")
    return replace(module, is_untrained=True)


def new_for_model(model: comfy.model_patcher.ModelPatcher, method: str) -> MotionModule:
    """`new_motion_module` for a MODEL, by the method's name. Raises ValueError where it has no such UNet."""
    return new_motion_module(METHODS[method], places_in(model))


def save_motion_module(module: MotionModule, path: str) -> None:
    """Writes a module, its MotionLoRAs added, to a .safetensors file under the method's published names."""
    if module.patcher.patches:
        comfy.model_management.load_models_gpu([module.patcher], force_patch_weights=True)
    tensors = {k: v.detach().contiguous() for k, v in module.method.to_file(module.patcher.model).items()}
    trained = "no" if module.is_untrained else "yes"
    save_file(tensors, path, {"method": module.method.name, "trained": trained})


def save_to_output(module: MotionModule, filename_prefix: str) -> Path:
    """`save_motion_module` under the next free name below output/; see write_to_output."""
    return write_to_output(filename_prefix, ".safetensors", lambda path: save_motion_module(module, path))


def _module_of(network: torch.nn.Module, method: TemporalMethod, config: Any, name: str) -> MotionModule:
    patcher = comfy.model_patcher.CoreModelPatcher(
        network,
        load_device=comfy.model_management.get_torch_device(),
        offload_device=comfy.model_management.unet_offload_device(),
    )
    return MotionModule(patcher, method, config, name)


def with_a_network_of_its_own(module: MotionModule) -> comfy.model_patcher.ModelPatcher:
    """`extended` by nothing: a clone of the module's patcher around a network that no other patcher has."""
    return extended(module, module.method, module.config, {}).patcher


def extended(
    module: MotionModule, method: TemporalMethod, config: Any, more: dict[str, torch.Tensor]
) -> MotionModule:
    """The module with a network of its own, of a method whose network has its weights and more.

    more: weights by name, added to the module's or put in their place; it is emptied.

    ComfyUI keeps one set of patched weights for each network, so two modules with
    different MotionLoRAs on one MODEL would both run with the first one's. The
    tensors are those of the module: memory is shared until one of them is patched.
    """
    source = module.patcher
    dtype = next(source.model.parameters()).dtype
    patched = {key: kept.weight for key, kept in source.backup.items()}  # as they are without the patches
    weights = {k: patched.get(k, v).to(source.offload_device) for k, v in source.model.state_dict().items()}
    weights |= _in_dtype(more, method, dtype)
    patcher = source.clone(model_override=(_network(method, config, weights), ({}, {}, {}, set())))
    patcher.hook_backup = {}
    patcher.clone_base_uuid = uuid.uuid4()
    return replace(module, patcher=patcher, method=method, config=config)


def _network(method: TemporalMethod, config: Any, weights: dict[str, torch.Tensor]) -> torch.nn.Module:
    """A network around these tensors; nothing is copied."""
    network = method.build(config, operations=comfy.ops.manual_cast, device="meta")
    network.load_state_dict(weights, strict=True, assign=True)
    return network.requires_grad_(False).eval()
