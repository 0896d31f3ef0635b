"""diffusers' key names of Stable Video Diffusion as those of
ComfyUI's own networks: UNet, temporal decoder, LoRA modules.

Source: github.com/huggingface/diffusers (UNetSpatioTemporalConditionModel, AutoencoderKLTemporalDecoder) and
github.com/Stability-AI/generative-models (sgm VideoUNet, VideoDecoder), whose names ComfyUI keeps.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import torch

from ..diffusers_names import ATTENTION_LAYERS, RESNET_PARTS, DiffusersNames

_ALONE = {"add_embedding.linear_1": "label_emb.0.0", "add_embedding.linear_2": "label_emb.0.2"}
_TEMPORAL_PART = re.compile(r"\.temporal_res_block\.(\w+)")
_POSITION_PART = re.compile(r"\.time_pos_embed\.linear_([12])")


class SVDNames:
    """The blocks of one diffusers UNet of Stable Video Diffusion,
    counted from its keys, and the core name of every key.
    """

    def __init__(self, keys: Iterable[str]):
        self._names = DiffusersNames(keys)

    def core_name(self, key: str) -> str | None:
        """The name of a key (or of a module, without `.weight`) in
        core's UNetModel; None for a key that has no place in it.
        """
        for head, core in _ALONE.items():
            if (key + ".").startswith(head + "."):
                return core + key[len(head) :]
        # An image resnet is where diffusers' other UNets have one; what looks at frames hangs beside it.
        name = self._names.core_name(key.replace(".spatial_res_block.", "."))
        if name is None:
            return None
        name = _TEMPORAL_PART.sub(lambda found: f".time_stack.{RESNET_PARTS.get(found[1], found[1])}", name)
        name = _POSITION_PART.sub(lambda found: f".time_pos_embed.{2 * (int(found[1]) - 1)}", name)
        return name.replace(".temporal_transformer_blocks.", ".time_stack.")


def svd_modules(num_res_blocks: Sequence[int], has_attention: Sequence[bool]) -> dict[str, str]:
    """{diffusers' module name: core's} of the layers with weights;
    both lists have one entry a level, full resolution first.
    """

    def block(name: str, resnets: int, attentions: int) -> list[str]:
        out = []
        for index in range(resnets):
            start = f"{name}.resnets.{index}"
            out += [
                f"{start}.{kind}_res_block.{layer}"
                for kind in ("spatial", "temporal")
                for layer in _RESNET_LAYERS
            ]
        return out + [
            f"{name}.attentions.{index}.{layer}"
            for index in range(attentions)
            for layer in _TRANSFORMER_LAYERS
        ]

    levels = list(zip(num_res_blocks, has_attention, strict=True))
    modules = [
        "conv_in",
        "conv_out",
        "time_embedding.linear_1",
        "time_embedding.linear_2",
        *_ALONE,
        *block("mid_block", 2, 1),
    ]
    for level, (count, attention) in enumerate(levels):
        modules += block(f"down_blocks.{level}", count, count * attention)
        modules += [f"down_blocks.{level}.downsamplers.0.conv"] if level + 1 < len(levels) else []
    for level, (count, attention) in enumerate(reversed(levels)):
        modules += block(f"up_blocks.{level}", count + 1, (count + 1) * attention)
        modules += [f"up_blocks.{level}.upsamplers.0.conv"] if level + 1 < len(levels) else []
    names = SVDNames(f"{module}." for module in modules)
    return {module: names.core_name(module) for module in modules}


_RESNET_LAYERS = ("conv1", "time_emb_proj", "conv2", "conv_shortcut")
_FEED_FORWARD = ("net.0.proj", "net.2")
_TRANSFORMER_LAYERS = (
    "proj_in",
    *(
        f"transformer_blocks.0.{layer}"
        for layer in (*ATTENTION_LAYERS, *(f"ff.{part}" for part in _FEED_FORWARD))
    ),
    *(
        f"temporal_transformer_blocks.0.{layer}"
        for layer in (
            *ATTENTION_LAYERS,
            *(f"{ff}.{part}" for ff in ("ff_in", "ff") for part in _FEED_FORWARD),
        )
    ),
    "time_pos_embed.linear_1",
    "time_pos_embed.linear_2",
    "proj_out",
)


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
    return _TEMPORAL_PART.sub(lambda found: f".time_stack.{RESNET_PARTS[found[1]]}", key)


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
