"""The tiny UNet of the golden files as a ComfyUI MODEL: weights are pure functions of their published key names."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import comfy.model_detection
import comfy.model_patcher
import comfy.supported_models
import torch

from ..gold_weights import gold_tensor

GOLDENS = Path(__file__).parents[1] / "data" / "goldens"


@cache
def animatediff_shapes() -> dict:
    return json.loads((GOLDENS / "animatediff" / "unet3d_tiny.json").read_text())["shapes"]


@cache
def base_state_dict() -> dict[str, torch.Tensor]:
    """The spatial weights under ComfyUI's (LDM) names."""
    names = json.loads((GOLDENS / "animatediff" / "diffusers_to_ldm_keys.json").read_text())
    return {names[k]: gold_tensor(k, s) for k, s in animatediff_shapes()["2d"].items()}


def motion_state_dict(version: str) -> dict[str, torch.Tensor]:
    """The motion module of a variant (v1, v2, v3) under its published names, without position tables."""
    return {k: gold_tensor(k, s) for k, s in animatediff_shapes()[version].items() if "motion_modules." in k and not k.endswith(".pe")}


def golden_model() -> comfy.model_patcher.ModelPatcher:
    """A fresh MODEL of SD1.x kind: 4 levels of 32, 64, 128, 128 channels, context 48, float32 on the CPU."""
    state_dict = base_state_dict()
    config = comfy.supported_models.SD15(comfy.model_detection.detect_unet_config(state_dict, ""))
    config.set_inference_dtype(torch.float32, None)
    model = config.get_model(state_dict, "")
    model.load_model_weights(dict(state_dict), "")
    device = torch.device("cpu")
    return comfy.model_patcher.CoreModelPatcher(model, load_device=device, offload_device=device)
