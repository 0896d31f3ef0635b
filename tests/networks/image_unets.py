"""Tiny UNets of the image checkpoints that temporal methods go on:
SD1.x, SD2.x and SDXL as ComfyUI MODELs with seeded weights.

Their blocks stand where those of the published checkpoints stand; only widths, heads and depths are smaller.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import comfy.model_management
import comfy.model_patcher
import comfy.supported_models
import torch

from ..gold_weights import gold_input, gold_state_dict

_FOUR_LEVELS = {
    "image_size": 32,
    "use_spatial_transformer": True,
    "legacy": False,
    "in_channels": 4,
    "out_channels": 4,
    "model_channels": 32,
    "num_res_blocks": [2] * 4,
    "channel_mult": (1, 2, 4, 4),
    "transformer_depth": [1] * 6 + [0] * 2,
    "transformer_depth_output": [1] * 9 + [0] * 3,
    "transformer_depth_middle": 1,
    "context_dim": 48,
    "adm_in_channels": None,
    "use_temporal_attention": False,
}
_THREE_LEVELS = {
    "num_res_blocks": [2] * 3,
    "channel_mult": (1, 2, 4),
    "transformer_depth": [0, 0, 2, 2, 3, 3],
    "transformer_depth_output": [0, 0, 0, 2, 2, 2, 3, 3, 3],
    "transformer_depth_middle": 3,
    "adm_in_channels": 2816,
    "num_classes": "sequential",
}


@dataclass(frozen=True)
class ImageUNet:
    """One kind of checkpoint. text_width: D of its conditioning (1, T, D).
    extra: what its conditioning holds besides.
    """

    name: str
    model: Callable[[], comfy.model_patcher.ModelPatcher]
    text_width: int = 48
    extra: Mapping[str, torch.Tensor] | None = None

    def conditioning(self, name: str, tokens: int = 7) -> list:
        """A conditioning of seeded numbers."""
        return [[gold_input(name, (1, tokens, self.text_width)), dict(self.extra or {})]]


def image_unet(base: type, weights: Mapping | None = None, **settings) -> comfy.model_patcher.ModelPatcher:
    """A MODEL on the CPU of one of core's kinds of checkpoint. weights: under LDM names; seeded where None.
    settings: of the UNet, those of a tiny SD1.x where they are not given.
    """
    config = base({**_FOUR_LEVELS, **settings})
    config.set_inference_dtype(torch.float32, None)
    model = config.get_model({}, "")
    shapes = {key: value.shape for key, value in model.diffusion_model.state_dict().items()}
    model.diffusion_model.load_state_dict(gold_state_dict(shapes) if weights is None else weights)
    cpu = torch.device("cpu")
    return comfy.model_patcher.CoreModelPatcher(
        model.eval().requires_grad_(False), load_device=cpu, offload_device=cpu
    )


class _SD1(comfy.supported_models.SD15):
    unet_extra_config = {"num_heads": 4, "num_head_channels": -1}


class _SD2(comfy.supported_models.SD20):
    unet_extra_config = {"num_heads": -1, "num_head_channels": 16, "attn_precision": torch.float32}


class _SDXL(comfy.supported_models.SDXL):
    unet_extra_config = {"num_heads": -1, "num_head_channels": 16}


IMAGE_UNETS: dict[str, ImageUNet] = {
    unet.name: unet
    for unet in (
        ImageUNet("SD1.x", partial(image_unet, _SD1, use_linear_in_transformer=False)),
        ImageUNet("SD2.x", partial(image_unet, _SD2, use_linear_in_transformer=True)),
        ImageUNet(
            "SDXL", partial(image_unet, _SDXL, use_linear_in_transformer=True, **_THREE_LEVELS),
            extra={"pooled_output": gold_input("pooled", (1, 1280))},
        ),
    )
}  # fmt: skip


def transformer() -> comfy.model_patcher.ModelPatcher:
    """A MODEL on the CPU that is no UNet: a tiny Flux."""
    config = comfy.supported_models.Flux(
        {
            "image_model": "flux",
            "in_channels": 16,
            "out_channels": 16,
            "vec_in_dim": 16,
            "context_in_dim": 16,
            "hidden_size": 64,
            "mlp_ratio": 4.0,
            "num_heads": 2,
            "depth": 1,
            "depth_single_blocks": 1,
            "axes_dim": [8, 12, 12],
            "theta": 10000,
            "patch_size": 2,
            "qkv_bias": True,
            "guidance_embed": False,
            "txt_ids_dims": [],
        }
    )
    config.set_inference_dtype(torch.float32, None)
    cpu = torch.device("cpu")
    return comfy.model_patcher.CoreModelPatcher(config.get_model({}), load_device=cpu, offload_device=cpu)
