"""Models of the published sizes with seeded random weights, made as files and loaded like real ones."""

from __future__ import annotations

import math
from pathlib import Path

import comfy.model_patcher
import comfy.sd
import comfy.sd1_clip
import comfy.supported_models
import torch
from safetensors.torch import save_file

from ..host.injection.motion_models import MotionModule, motion_module_from_file
from ..motion_modules.animatediff.files import to_original_names
from ..motion_modules.animatediff.layers import MotionConfig, MotionModel, animatediff_sites, sinusoidal_table

SD15_CHANNELS = (320, 640, 1280, 1280)

_SD15_UNET = {
    "image_size": 32, "in_channels": 4, "out_channels": 4, "model_channels": 320,
    "num_res_blocks": [2, 2, 2, 2], "channel_mult": [1, 2, 4, 4], "context_dim": 768, "num_heads": 8,
    "transformer_depth": [1, 1, 1, 1, 1, 1, 0, 0], "transformer_depth_middle": 1,
    "transformer_depth_output": [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0], "num_head_channels": -1,
    "use_linear_in_transformer": False, "use_temporal_attention": False, "adm_in_channels": None,
    "legacy": False, "use_spatial_transformer": True,
}  # fmt: skip


def random_state_dict(model: torch.nn.Module, seed: int, dtype=torch.float16) -> dict[str, torch.Tensor]:
    """Weights for the shapes of a model on the meta device, scaled so that activations keep their size."""
    # A billion normal numbers take a minute to draw; a pool of prime length, read again and again, will do.
    pool = torch.randn(1_000_003, generator=torch.Generator().manual_seed(seed))
    out, start = {}, 0
    for key, want in model.state_dict().items():
        count = want.numel()
        value = pool.roll(-start).to(dtype).repeat(-(-count // len(pool)))[:count].view(want.shape)
        start = (start + count) % len(pool)
        if want.ndim >= 2:
            out[key] = value / math.sqrt(math.prod(want.shape[1:]))
        else:
            out[key] = 0.02 * value + (1.0 if key.endswith("weight") else 0.0)
    return out


def write_sd15_unet(path: Path, seed: int = 0) -> None:
    """A checkpoint file with an SD1.5 UNet (860 M parameters, fp16) and nothing else."""
    save_file(_sd15_unet(seed), path)


def write_sd15_checkpoint(path: Path, seed: int = 0) -> None:
    """A checkpoint file with an SD1.5 UNet and its text encoder (123 M parameters, fp16), without a VAE."""
    save_file(_sd15_unet(seed) | _sd15_text(seed + 2), path)


def _sd15_config() -> comfy.supported_models.SD15:
    config = comfy.supported_models.SD15(dict(_SD15_UNET))
    config.set_inference_dtype(torch.float16, None)
    return config


def _sd15_unet(seed: int) -> dict[str, torch.Tensor]:
    unet = _sd15_config().get_model({}, device=torch.device("meta")).diffusion_model
    return {f"model.diffusion_model.{k}": v for k, v in random_state_dict(unet, seed).items()}


def _sd15_text(seed: int) -> dict[str, torch.Tensor]:
    text = comfy.sd1_clip.SD1ClipModel(device="meta", dtype=torch.float16)
    return _sd15_config().process_clip_state_dict_for_saving(random_state_dict(text, seed))


def write_module(path: Path, version: str = "v2", seed: int = 1) -> None:
    """A motion module file of AnimateDiff v2's size (453 M parameters, fp16) or v3's (417 M) under the
    published names.
    """
    sites = animatediff_sites(SD15_CHANNELS, with_mid=version == "v2")
    model = MotionModel(MotionConfig(version, sites), device="meta")
    sd = random_state_dict(model, seed)
    sd |= {k: sinusoidal_table(*v.shape[1:]).to(v.dtype) for k, v in sd.items() if k.endswith(".pe")}
    model.load_state_dict(sd, assign=True)
    save_file(to_original_names(model), path)


def load_full_size(
    folder: Path, version: str = "v2"
) -> tuple[comfy.model_patcher.ModelPatcher, MotionModule]:
    """Writes both files into folder where they are missing, and loads them as a user's would be."""
    module = folder / f"full_size_mm_{version}.safetensors"
    if not module.exists():
        write_module(module, version)
    return load_sd15(folder), motion_module_from_file(str(module))


def load_sd15(folder: Path) -> comfy.model_patcher.ModelPatcher:
    """Writes the checkpoint into folder where it is missing, and loads it."""
    checkpoint = folder / "full_size_sd15.safetensors"
    if not checkpoint.exists():
        write_sd15_unet(checkpoint)
    return comfy.sd.load_checkpoint_guess_config(str(checkpoint), output_vae=False, output_clip=False)[0]
