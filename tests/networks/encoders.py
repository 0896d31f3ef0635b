"""Text and image encoders and autoencoders, small in a file or in use.

Text and image encoders have one published size, which ComfyUI builds whatever the file holds. In torch's own
kind of file they take a few hundred kilobytes all the same: every weight is a view of one row of numbers,
shifted by one from line to line, and layers share it.
"""

from __future__ import annotations

import comfy.clip_vision
import comfy.sd
import comfy.taesd.taesd
import torch

from ...host.files.demo_family import pad_to_taesd
from ..comfy import standins
from ..gold_weights import fill, gold_input, gold_tensor

CLIP_WIDTH = 40
TINY_VISION = {
    "hidden_size": CLIP_WIDTH,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 56,
    "projection_dim": 24,
    "image_size": 28,
    "patch_size": 14,
    "num_channels": 3,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-5,
    "model_type": "clip_vision_model",
}
"""A CLIP image encoder in small, as core's ClipVisionModel takes it."""


def shifted(key: str, *shape: int) -> torch.Tensor:
    """A weight or bias of this shape as a view of about as many numbers as its sides are long; torch's own
    files keep it that small.
    """
    row = gold_input(key, (sum(shape),))
    if len(shape) == 1:
        row = 0.02 * row + float(key.endswith("weight"))  # of a norm
    else:
        row = row / shape[-1] ** 0.5
    return row.as_strided(shape, [1] * len(shape))


def _openclip_layer(width: int) -> dict[str, torch.Tensor]:
    shapes = {
        "ln_1.weight": (width,), "ln_1.bias": (width,), "ln_2.weight": (width,), "ln_2.bias": (width,),
        "attn.in_proj_weight": (3 * width, width), "attn.in_proj_bias": (3 * width,),
        "attn.out_proj.weight": (width, width), "attn.out_proj.bias": (width,),
        "mlp.c_fc.weight": (4 * width, width), "mlp.c_fc.bias": (4 * width,),
        "mlp.c_proj.weight": (width, 4 * width), "mlp.c_proj.bias": (width,),
    }  # fmt: skip
    return {name: shifted(name, *shape) for name, shape in shapes.items()}


def openclip_text(prefix: str = "") -> dict[str, torch.Tensor]:
    """The text half of OpenCLIP ViT-H-14 as open_clip_pytorch_model.bin holds it."""
    layer = _openclip_layer(1024)
    tensors = {f"transformer.resblocks.{i}.{name}": value for i in range(24) for name, value in layer.items()}
    tensors |= {
        "positional_embedding": shifted("positional_embedding", 77, 1024),
        "token_embedding.weight": shifted("token_embedding.weight", 49408, 1024),
        "text_projection": shifted("text_projection", 1024, 1024),
        "ln_final.weight": shifted("ln_final.weight", 1024),
        "ln_final.bias": shifted("ln_final.bias", 1024),
        "logit_scale": torch.tensor(4.6),
    }
    return {prefix + key: value for key, value in tensors.items()}


def small_vae() -> dict[str, torch.Tensor]:
    """An autoencoder of eight pixels a latent under the names of TAESD:
    that of the tiny stand-in checkpoint.
    """
    prefix = "first_stage_model."
    narrow = {
        key[len(prefix) :]: value for key, value in standins.checkpoint().items() if key.startswith(prefix)
    }
    return pad_to_taesd(narrow)


def openclip_vision(prefix: str) -> dict[str, torch.Tensor]:
    """The image half of OpenCLIP ViT-H-14, as VideoCrafter's files hold it."""
    layer = _openclip_layer(1280)
    tensors = {f"transformer.resblocks.{i}.{name}": value for i in range(32) for name, value in layer.items()}
    shapes = {
        "class_embedding": (1280,),
        "positional_embedding": (257, 1280),
        "proj": (1280, 1024),
        "ln_pre.weight": (1280,),
        "ln_pre.bias": (1280,),
        "ln_post.weight": (1280,),
        "ln_post.bias": (1280,),
    }
    tensors |= {name: shifted(name, *shape) for name, shape in shapes.items()}
    tensors["conv1.weight"] = gold_tensor("conv1.weight", (1280, 3, 14, 14))
    return {prefix + key: value for key, value in tensors.items()}


def clip_l_text() -> dict[str, torch.Tensor]:
    """clip_l.safetensors in its published layout and size: that kind of file cannot hold views."""
    width, prefix = 768, "text_model."
    shapes = {
        "layer_norm1.weight": (width,),
        "layer_norm1.bias": (width,),
        "layer_norm2.weight": (width,),
        "layer_norm2.bias": (width,),
        "mlp.fc1.weight": (4 * width, width),
        "mlp.fc1.bias": (4 * width,),
        "mlp.fc2.weight": (width, 4 * width),
        "mlp.fc2.bias": (width,),
    }
    for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
        shapes |= {f"self_attn.{name}.weight": (width, width), f"self_attn.{name}.bias": (width,)}
    layer = {name: shifted(name, *shape) for name, shape in shapes.items()}
    tensors = {
        f"{prefix}encoder.layers.{i}.{name}": value.half() for i in range(12) for name, value in layer.items()
    }
    tensors[f"{prefix}embeddings.token_embedding.weight"] = shifted(
        "token_embedding.weight", 49408, width
    ).half()
    tensors[f"{prefix}embeddings.position_embedding.weight"] = shifted(
        "position_embedding.weight", 77, width
    ).half()
    tensors[f"{prefix}final_layer_norm.weight"] = torch.ones(width).half()
    tensors[f"{prefix}final_layer_norm.bias"] = torch.zeros(width).half()
    return {key: value.contiguous().clone() for key, value in tensors.items()}


def tiny_encoders(width: int = 1024) -> dict:
    """A CLIP_VISION and a VAE that are core's, only narrower; width is that of the image's token."""
    vision = comfy.clip_vision.ClipVisionModel({**TINY_VISION, "projection_dim": width})
    fill(vision.model.float())
    weights = fill(comfy.taesd.taesd.TAESD(), skip=("vae_scale", "vae_shift")).state_dict()
    return {"clip_vision": vision, "vae": comfy.sd.VAE(sd=weights)}
