"""The tiny UNet of the golden files as a ComfyUI MODEL:
weights are pure functions of their published key names.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from functools import cache
from pathlib import Path

import comfy.model_detection
import comfy.model_management
import comfy.model_patcher
import comfy.patcher_extension
import comfy.sample
import comfy.supported_models
import torch
from safetensors.torch import save_file

from ...host.injection.motion_models import MotionModule, motion_module_from_file
from ...motion_modules.animatediff.layers import sinusoidal_table
from ...shapes import fold_frames, unfold_frames
from ..gold_weights import gold_input, gold_tensor
from ..places import GOLDENS


@cache
def animatediff_shapes() -> dict:
    return json.loads((GOLDENS / "animatediff" / "unet3d_tiny.json").read_text())["shapes"]


@cache
def base_state_dict() -> dict[str, torch.Tensor]:
    """The spatial weights under ComfyUI's (LDM) names."""
    return in_ldm_names({k: gold_tensor(k, s) for k, s in animatediff_shapes()["2d"].items()})


def in_ldm_names(state_dict: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Spatial weights with diffusers' names under ComfyUI's (LDM) names."""
    names = json.loads((GOLDENS / "animatediff" / "diffusers_to_ldm_keys.json").read_text())
    return {names[key]: value for key, value in state_dict.items()}


def motion_state_dict(version: str) -> dict[str, torch.Tensor]:
    """The motion module of a variant (v1, v2, v3) under its published names, without position tables."""
    return {
        k: gold_tensor(k, s)
        for k, s in animatediff_shapes()[version].items()
        if "motion_modules." in k and not k.endswith(".pe")
    }


def golden_model(dtype: torch.dtype = torch.float32, out_gain: float = 1.0):
    """A fresh MODEL of SD1.x kind: 4 levels of 32, 64, 128, 128 channels, context 48, on the CPU,
    computing in `dtype`. out_gain: of the last convolution, 0.5 in some golden files.
    """
    state_dict = {key: value.to(dtype) for key, value in base_state_dict().items()}
    state_dict["out.2.weight"] = state_dict["out.2.weight"] * out_gain
    return sd1_model(state_dict, dtype)


def sd1_model(state_dict: dict[str, torch.Tensor], dtype: torch.dtype = torch.float32):
    """A fresh MODEL of SD1.x kind on the CPU with these weights under LDM names."""
    config = comfy.supported_models.SD15(comfy.model_detection.detect_unet_config(state_dict, ""))
    config.set_inference_dtype(dtype, None)
    model = config.get_model(state_dict, "")
    model.load_model_weights(dict(state_dict), "")
    device = torch.device("cpu")
    return comfy.model_patcher.CoreModelPatcher(model, load_device=device, offload_device=device)


def motion_module(version: str, position_length: int | None = 32) -> MotionModule:
    """The golden motion module of a variant as a MOTION_MODULE;
    its file holds tables of position_length rows, or none, as AnimateLCM's.
    """
    state_dict = motion_state_dict(version)
    state_dict |= {
        k.replace("to_q.weight", "pos_encoder.pe"): sinusoidal_table(position_length, v.shape[0])
        for k, v in state_dict.items()
        if k.endswith("to_q.weight") and position_length
    }
    path = Path(tempfile.mkdtemp(prefix="zoetrope-golden-")) / f"{version}.safetensors"
    save_file(state_dict, path)
    try:
        return motion_module_from_file(str(path))
    finally:
        shutil.rmtree(path.parent)


def forward(
    model, x: torch.Tensor, t: torch.Tensor, context: torch.Tensor, sigma: float = 1.0, **per_video
) -> torch.Tensor:
    """One UNet call as the sampler makes it: x (B, C, F, H, W), t (B,), context (B, tokens, D) -> (B, C, F,
    H, W); every video is one conditioning chunk. per_video: more inputs of the UNet (B, ...).
    """
    videos, frames = x.shape[0], x.shape[2]
    options = comfy.model_patcher.create_model_options_clone(model.model_options)["transformer_options"]
    options |= {"cond_or_uncond": [0] * videos, "sigmas": torch.tensor([sigma])}
    comfy.patcher_extension.merge_nested_dicts(
        options.setdefault("wrappers", {}), model.wrappers, copy_dict1=False
    )
    comfy.model_management.load_models_gpu([model, *model.get_nested_additional_models()])
    with torch.no_grad():
        y = model.model.diffusion_model(
            fold_frames(x),
            t.float().expand(videos).repeat_interleave(frames),
            context=context.repeat_interleave(frames, 0),
            transformer_options=options,
            **{name: value.repeat_interleave(frames, 0) for name, value in per_video.items()},
        )
    return unfold_frames(y, frames)


def sample(
    model, frames=5, steps=2, cfg=3.0, sampler="euler", scheduler="normal", seed=1, size=(16, 8), **kwargs
) -> torch.Tensor:
    """Core's own sampling with a positive and a negative conditioning of different values: (F, 4, H, W)."""
    latent = torch.zeros(frames, 4, *size)
    positive, negative = ([[gold_input(name, (1, 7, 48)), {}]] for name in ("positive", "negative"))
    noise = kwargs.pop("noise", None)
    noise = comfy.sample.prepare_noise(latent, seed) if noise is None else noise
    positive = kwargs.pop("positive", positive)
    return comfy.sample.sample(
        model,
        noise,
        steps,
        cfg,
        sampler,
        scheduler,
        positive,
        negative,
        latent,
        disable_pbar=True,
        seed=seed,
        **kwargs,
    )
