"""A SparseCtrl file as a CONTROL_NET: the network around its tensors, and what core needs besides."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict

import comfy.model_management
import comfy.ops
import comfy.utils
import torch

from ...foreign_text import printable
from ...motion_modules.animatediff.sparsectrl import (
    EncoderConfig,
    SparseCtrlFile,
    encoder_config,
    read_sparsectrl,
)
from ...motion_modules.file_tensors import StateDict
from ..files.model_files import find_model_file, read_tensors
from .sparsectrl import SparseControl
from .sparsectrl_network import SparseControlNet

CONTROLNETS = "controlnet"
"""Folder key of core's ControlNets, among which SparseCtrl's files are published to be put."""


def load_sparsectrl(name: str) -> SparseControl:
    """Loads a file of the ControlNet folders. Raises ValueError when it is missing, damaged or another."""
    return sparsectrl_from_file(find_model_file(CONTROLNETS, name))


def sparsectrl_from_file(path: str) -> SparseControl:
    """Loads a SparseCtrl model by path, in the precision that core gives a ControlNet."""
    name = os.path.basename(path)
    file = read_sparsectrl(read_tensors(path), name)
    config = encoder_config(file, name)
    load_device = comfy.model_management.get_torch_device()
    dtype = comfy.model_management.unet_dtype(
        model_params=-1,
        supported_dtypes=[comfy.model_management.unet_dtype()],
        weight_dtype=comfy.utils.weight_dtype(file.encoder),
    )
    manual_cast = comfy.model_management.unet_manual_cast(dtype, load_device)
    operations = comfy.ops.pick_operations(dtype, manual_cast)
    network = SparseControlNet(config, file, operations, dtype, torch.device("meta"))
    weights = _in_dtype(_weights(network, config, file, name), dtype)
    network.load_state_dict(weights, strict=True, assign=True)
    network.requires_grad_(False).eval()
    return SparseControl(network, load_device, manual_cast, name)


def _weights(network: SparseControlNet, config: EncoderConfig, file: SparseCtrlFile, name: str) -> StateDict:
    """The weights under the names of the network. Raises ValueError naming one that is missing, unknown or
    has another shape.
    """
    names = comfy.utils.unet_to_diffusers({
        **asdict(config),
        "num_res_blocks": list(config.num_res_blocks),
        "transformer_depth": list(config.transformer_depth),
        "transformer_depth_output": [0] * sum(layers + 1 for layers in config.num_res_blocks),
    })  # fmt: skip
    names |= dict(_control_names(file))
    weights = {names.get(key, key): value for key, value in file.encoder.items()}
    weights |= {f"motion.{key}": value for key, value in file.motion_weights.items()}
    expected = network.state_dict()
    originals = {ours: theirs for theirs, ours in names.items()}
    for key in sorted(expected.keys() ^ weights.keys()):
        what = "lacks" if key in expected else "has an unknown"
        raise ValueError(
            f"'{printable(name)}' {what} '{printable(originals.get(key, key))}'; the SparseCtrl model is "
            "damaged or of an unknown kind, download it again."
        )
    for key, value in weights.items():
        if value.shape != expected[key].shape:
            raise ValueError(
                f"'{printable(name)}': '{printable(originals.get(key, key))}' has shape {tuple(value.shape)} "
                f"where {tuple(expected[key].shape)} is needed; the file is damaged or of an unknown kind."
            )
    return weights


def _control_names(file: SparseCtrlFile) -> Iterator[tuple[str, str]]:
    """(diffusers' name, core's name) of what a ControlNet has besides a UNet's layers."""
    for side in ("weight", "bias"):
        yield f"controlnet_mid_block.{side}", f"middle_block_out.0.{side}"
        for i in range(sum(key.endswith(side) for key in file.encoder if "controlnet_down_blocks." in key)):
            yield f"controlnet_down_blocks.{i}.{side}", f"zero_convs.{i}.0.{side}"
        embedding = "controlnet_cond_embedding"
        if file.takes_latents:
            yield f"{embedding}.{side}", f"input_hint_block.0.{side}"
            continue
        stack = ["conv_in", *(f"blocks.{i}" for i in range(6)), "conv_out"]
        for i, layer in enumerate(stack):
            yield f"{embedding}.{layer}.{side}", f"input_hint_block.{2 * i}.{side}"


def _in_dtype(weights: StateDict, dtype: torch.dtype) -> StateDict:
    """The weights in the dtype of the network; tables of positions stay as they are."""
    return {k: v if k.endswith("pos_encoder.pe") else v.to(dtype) for k, v in weights.items()}
