"""diffusers' key names of Stable Video Diffusion's VAE, whose decoder looks at several frames, as core's.

Source: github.com/huggingface/diffusers (AutoencoderKLTemporalDecoder) and
github.com/Stability-AI/generative-models (VideoDecoder), whose names ComfyUI keeps.

Letters: O, I, M channels of a convolution, H, W its kernel.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import torch
from einops import rearrange

from ..diffusers_names import RESNET_PARTS
from .names import TEMPORAL_PART

_LAST_WEIGHT, _LAST_BIAS = "encoder.conv_out.weight", "encoder.conv_out.bias"

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
    """Core's name of a key of diffusers' AutoencoderKLTemporalDecoder with so many levels of resolution.

    With 4 levels, which core's decoder counts backwards:
    'decoder.up_blocks.0.resnets.1.temporal_res_block.norm1.bias'
    -> 'decoder.up.3.block.1.time_stack.in_layers.0.bias'
    """
    for pattern, replacement in _VAE_RULES:
        key = re.sub(pattern, replacement, key)
    # Core counts from one, and its decoder backwards.
    key = re.sub(r"\.block_#(\d+)", lambda found: f".block_{int(found[1]) + 1}", key)
    key = re.sub(r"\.up\.\^(\d+)", lambda found: f".up.{levels - 1 - int(found[1])}", key)
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
    if "quant_conv.weight" in tensors and {_LAST_WEIGHT, _LAST_BIAS} <= set(out):
        out |= _times_quant_conv(out[_LAST_WEIGHT], out[_LAST_BIAS], tensors)
    return out, names


def _times_quant_conv(weight: torch.Tensor, bias: torch.Tensor, tensors: Mapping) -> dict[str, torch.Tensor]:
    """The encoder's last convolution, weight (M, I, H, W) and bias (M,), with quant_conv, weight (O, M, 1, 1)
    and bias (O,), behind it: one weight (O, I, H, W) and bias (O,).
    """
    mix = rearrange(tensors["quant_conv.weight"].float(), "o m 1 1 -> o m")
    mixed = torch.einsum("o m, m i h w -> o i h w", mix, weight.float())
    shift = mix @ bias.float() + tensors["quant_conv.bias"].float()
    return {_LAST_WEIGHT: mixed.to(weight.dtype), _LAST_BIAS: shift.to(bias.dtype)}
