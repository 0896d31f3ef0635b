"""diffusers' key names of Stable Video Diffusion's VAE, whose decoder looks at several frames, as core's.

Source: github.com/huggingface/diffusers (AutoencoderKLTemporalDecoder) and
github.com/Stability-AI/generative-models (VideoDecoder), whose names ComfyUI keeps.

Letters: O, I, M channels of a convolution, H, W its kernel.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import torch

from ..diffusers_names import RESNET_PARTS
from .names import TEMPORAL_PART

_VAE_RULES: tuple[tuple[str, str], ...] = (
    (r"^(encoder|decoder)\.mid_block\.resnets\.(\d+)\.", r"\1.mid.block_#\2."),
    (r"^(encoder|decoder)\.mid_block\.attentions\.0\.", r"\1.mid.attn_1."),
    (r"^encoder\.down_blocks\.(\d+)\.resnets\.(\d+)\.", r"encoder.down.\1.block.\2."),
    (r"^encoder\.down_blocks\.(\d+)\.downsamplers\.0\.", r"encoder.down.\1.downsample."),
    (r"^decoder\.up_blocks\.(\d+)\.resnets\.(\d+)\.", r"decoder.up.^\1.block.\2."),
    (r"^decoder\.up_blocks\.(\d+)\.upsamplers\.0\.", r"decoder.up.^\1.upsample."),
    (r"\.conv_norm_out\.", ".norm_out."),
    (r"^decoder\.time_conv_out\.", "decoder.conv_out.time_mix_conv."),
    (r"\.conv_shortcut\.", ".nin_shortcut."),
    (r"\.attn_1\.group_norm\.", ".attn_1.norm."),
    (r"\.attn_1\.to_([qkv])\.", r".attn_1.\1."),
    (r"\.attn_1\.to_out\.0\.", ".attn_1.proj_out."),
    (r"\.spatial_res_block\.", "."),
    (r"\.time_mixer\.mix_factor$", ".mix_factor"),
)


def is_diffusers_temporal_vae(keys: Iterable[str]) -> bool:
    """Whether keys are those of diffusers' AutoencoderKLTemporalDecoder."""
    return any(re.match(r"decoder\..*\.temporal_res_block\.", key) for key in keys)


def vae_core_name(key: str, levels: int) -> str:
    """Core's name of a key of diffusers' AutoencoderKLTemporalDecoder with so many levels of resolution."""
    for pattern, replacement in _VAE_RULES:
        key = re.sub(pattern, replacement, key)
    key = re.sub(r"\.block_#(\d+)", lambda found: f".block_{int(found[1]) + 1}", key)  # core counts from one,
    key = re.sub(
        r"\.up\.\^(\d+)", lambda found: f".up.{levels - 1 - int(found[1])}", key
    )  # and its decoder backwards
    return TEMPORAL_PART.sub(lambda found: f".time_stack.{RESNET_PARTS[found[1]]}", key)


def vae_to_core(tensors: Mapping[str, torch.Tensor]) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """diffusers' temporal-decoder VAE under core's names, and {core's key: diffusers' key}.

    Core's network has no `quant_conv`; that 1x1 convolution
    behind the encoder's last one is multiplied into it.
    """
    ups = [int(found[1]) for key in tensors if (found := re.match(r"decoder\.up_blocks\.(\d+)\.", key))]
    names = {
        vae_core_name(key, max(ups, default=-1) + 1): key
        for key in tensors
        if not key.startswith("quant_conv.")
    }
    out = {}
    for core, key in names.items():
        is_projection = ".mid.attn_1." in core and tensors[key].ndim == 2
        out[core] = tensors[key][..., None, None] if is_projection else tensors[key]
    last = "encoder.conv_out"
    if "quant_conv.weight" in tensors and f"{last}.weight" in out and f"{last}.bias" in out:
        mix = tensors["quant_conv.weight"].float().flatten(1)
        weight, bias = out[f"{last}.weight"], out[f"{last}.bias"]
        out[f"{last}.weight"] = torch.einsum("o m, m i h w -> o i h w", mix, weight.float()).to(weight.dtype)
        out[f"{last}.bias"] = (mix @ bias.float() + tensors["quant_conv.bias"].float()).to(bias.dtype)
    return out, names
