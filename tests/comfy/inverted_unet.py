"""The network of the golden files of inversion: a tiny UNet whose answer is mixed with the best one for
Gaussian latents, so that steps can be undone.
"""

from __future__ import annotations

import json

import comfy.supported_models
import comfy.utils
import torch
from safetensors.torch import load_file

from ..gold_weights import gold_tensor
from ..networks.image_unets import image_unet
from ..places import GOLDENS

VARIANCE = 0.64
"""Of the Gaussian that the latents are taken from."""


class _GoldenSD1(comfy.supported_models.SD15):
    unet_extra_config = {"num_heads": 8, "num_head_channels": -1}


def golden(case: str) -> tuple[dict, dict]:
    """(tensors, description) of a golden file: "ddim_inversion/ddim_inv" or "null_text/null_text"."""
    path = GOLDENS / case
    return load_file(f"{path}.safetensors"), json.loads(path.with_suffix(".json").read_text())


def inverted_model(case: str):
    """The MODEL of a golden file: eps = a(t) x + gain * unet(x, t, text), with x of unit variance."""
    meta = golden(case)[1]
    channels = meta.get("unet", meta.get("config"))["block_out_channels"]
    levels = {
        "model_channels": channels[0],
        "channel_mult": tuple(c // channels[0] for c in channels),
        "num_res_blocks": [1] * 4,
        "transformer_depth": [1, 1, 1, 0],
        "transformer_depth_output": [1] * 6 + [0] * 2,
        "transformer_depth_middle": 1,
    }
    names = comfy.utils.unet_to_diffusers(levels)
    weights = {
        names[key]: gold_tensor(key, shape, 0.5 if "conv_out" in key else 1)
        for key, shape in meta["shapes"].items()
    }
    model = image_unet(_GoldenSD1, weights, use_linear_in_transformer=False, **levels)
    gain = meta["net_gain"]

    def mixed(apply_model, arguments):
        x, sigma = arguments["input"], arguments["timestep"]
        told = sigma.view(-1, 1, 1, 1)
        unet = (x - apply_model(x, sigma, **arguments["c"])) / told
        alpha = 1 / (1 + told**2)
        best = (1 - alpha).sqrt() / (VARIANCE * alpha + 1 - alpha)
        return x - told * (best * x * alpha.sqrt() + gain * unet)

    model.set_model_unet_function_wrapper(mixed)
    return model


def unit_variance(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """Latents of ComfyUI at a noise level as the reference has them."""
    return x / (1 + sigma**2).sqrt()
