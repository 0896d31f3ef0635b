"""Stand-ins for the files of the video systems' example workflows:
published names and layouts, small networks, seeded values.

Text and image encoders have one published size, which ComfyUI builds whatever the file holds. In torch's own
kind of file they take a few hundred kilobytes all the same: every weight is a view of one row of numbers,
shifted by one from line to line, and layers share it.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from ...demo.workflow_api import every_node
from ...host.files.demo_family import pad_to_taesd
from ...video_unets.videocrafter.image_projector import ImageProjector
from ...video_unets.videocrafter.network import TOKENS_PER_FRAME, VideoCrafterUNet
from ...video_unets.videocrafter.system import PREFIX
from ..gold_weights import gold_input, gold_state_dict, gold_tensor
from . import standins
from .cascade_standins import LAVIE, SHOW1, tiny_lavie, tiny_show1
from .svd_standins import tiny_svd
from .video_standins import TINY_MODELSCOPE, gentle, tiny_modelscope

WIDTH, HEIGHT, FRAMES = standins.WIDTH, standins.HEIGHT, 5


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
    """An autoencoder of eight pixels a latent under the
    names of TAESD: that of the tiny stand-in checkpoint.
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


def tiny_videocrafter(
    image_tokens: str = "", concat: bool = False, base_scale: float = 0.7
) -> dict[str, torch.Tensor]:
    """A whole VideoCrafter2 or DynamiCrafter file: network,
    text encoder, VAE, and with image_tokens its image encoder.
    """
    settings = {key: value for key, value in TINY_MODELSCOPE.items() if key != "first_heads"}
    settings |= {
        "in_channels": 8 if concat else 4,
        "temporal_conv": True,
        "max_distance": 0,
        "has_fps": True,
        "image_tokens": image_tokens,
    }
    network = VideoCrafterUNet(**settings, device="meta")
    weights = gentle({key: tuple(value.shape) for key, value in network.state_dict().items()})
    tensors = {PREFIX + key: value for key, value in weights.items()}
    tensors |= openclip_text("cond_stage_model.model.")
    tensors |= {f"first_stage_model.{key}": value for key, value in small_vae().items()}
    tensors["scale_arr"] = torch.cat((torch.linspace(1, base_scale, 400), torch.full((1000,), base_scale)))
    if image_tokens:
        queries = TOKENS_PER_FRAME * (FRAMES if image_tokens == "frame" else 1)
        sizes = {"width": 64, "depth": 1, "inner": 64, "clip_width": 1280, "out_width": 1024, "ff_width": 64}
        projector = ImageProjector(**sizes, num_queries=queries, device="meta").state_dict()
        tensors |= gold_state_dict(
            {f"image_proj_model.{key}": value.shape for key, value in projector.items()}, {"latents": 6.0}
        )
        tensors |= openclip_vision("embedder.model.visual.")
    return tensors


def put_modelscope(models: Path) -> None:
    """ModelScopeT2V's, ZeroScope's and Show-1's last network."""
    networks = (
        "text2video_pytorch_model.pth",
        "zeroscope_v2_576w.pth",
        "zeroscope_v2_XL.pth",
        "show-1-sr2_unet.bin",
    )
    for factor, name in enumerate(networks):
        weights = {key: value * (1 - factor / 20) for key, value in tiny_modelscope().items()}
        torch.save(weights, models / "diffusion_models" / name)


def put_videocrafter(models: Path) -> None:
    """VideoCrafter's and DynamiCrafter's whole files."""
    files = {
        "videocrafter2_t2v_512.ckpt": tiny_videocrafter(),
        "videocrafter1_i2v_512.ckpt": tiny_videocrafter("video"),
        "dynamicrafter_512.ckpt": tiny_videocrafter("frame", concat=True),
        "dynamicrafter_512_interp.ckpt": tiny_videocrafter("frame", concat=True),
    }
    for name, tensors in files.items():
        torch.save({"state_dict": tensors}, models / "diffusion_models" / name)


def put_cascades(models: Path) -> None:
    """LaVie's networks, and Show-1's, which are for the
    demo's text encoder: T5-XXL is too large for a test.
    """
    for kind in LAVIE:
        weights = tiny_lavie(kind, context_dim=1024 if kind == "vsr" else 768)
        torch.save({"ema": weights}, models / "diffusion_models" / f"lavie_{kind}.pt")
    for kind in SHOW1:
        torch.save(tiny_show1(kind), models / "diffusion_models" / f"show-1-{kind}_unet.bin")


def put_svd(models: Path) -> None:
    """Stable Video Diffusion and SV3D with their VAE; that kind of file cannot hold views, so the image
    encoder is a file of its own.
    """
    for system, file, prefix in (
        ("svd", "svd", "first_stage_model."),
        ("sv3d_p", "sv3d_p", "conditioner.embedders.1.encoder."),
    ):
        tensors = tiny_svd(system=system) | {prefix + key: value for key, value in small_vae().items()}
        save_file(tensors, models / "diffusion_models" / f"{file}.safetensors")
    (models / "clip_vision").mkdir(exist_ok=True)
    torch.save(openclip_vision("visual."), models / "clip_vision" / IMAGE_ENCODER)


def put_standins(models: Path) -> None:
    """Writes every model file that the video systems' workflows name, but for T5-XXL."""
    for folder in ("diffusion_models", "text_encoders", "vae"):
        (models / folder).mkdir(exist_ok=True)
    put_modelscope(models)
    put_videocrafter(models)
    put_cascades(models)
    put_svd(models)
    torch.save(openclip_text(), models / "text_encoders" / "open_clip_pytorch_model.bin")
    save_file(clip_l_text(), models / "text_encoders" / "clip_l.safetensors")
    for name in ("vae-ft-mse-840000-ema-pruned.safetensors", "x4_upscaler_vae.safetensors"):
        save_file(small_vae(), models / "vae" / name)


# Widget number -> value that makes a run a matter of seconds.
SMALL = {
    "EmptyLatentImage": {0: WIDTH, 1: HEIGHT, 2: FRAMES},
    "ImageScale": {1: WIDTH, 2: HEIGHT},
    "KSampler": {2: 2},
    "BasicScheduler": {1: 2},
    "ZoetropeCreateDDIMSigmas": {1: 2},
    "ZoetropeAnimateImage": {0: WIDTH, 1: HEIGHT, 2: FRAMES},
    "ZoetropeInterpolateImages": {0: WIDTH, 1: HEIGHT, 2: FRAMES},
    "ZoetropeAnimateImageSVD": {0: WIDTH, 1: HEIGHT, 2: FRAMES},
    "ZoetropeSetOrbit": {0: WIDTH, 1: HEIGHT, 2: FRAMES},
    "SD_4XUpscale_Conditioning": {0: 1.0},
}
SHOW1_TEXT = "t5xxl_fp16.safetensors"
CASCADE_FRAMES = 3
"""Key frames of the cascades, which make 4 * (3 - 1) + 1 frames of them."""
# File that a workflow names -> what it begins with in place of the above; Show-1 begins with pixels.
SMALL_CASCADES = {"lavie_base.pt": (WIDTH, HEIGHT, CASCADE_FRAMES), SHOW1_TEXT: (16, 16, CASCADE_FRAMES)}
IMAGE_ENCODER = "openclip_vit_h_vision.pth"
IMAGE_NODES = ("ZoetropeAnimateImageSVD", "ZoetropeSetOrbit")
"""Nodes that get Stable Video Diffusion's image encoder from a file of its own."""
DEMO_CHECKPOINT = "zoetrope_tiny_sd.safetensors"


def shrink(workflow: dict) -> dict:
    """A copy of a UI-format workflow with few steps, few frames
    and small pictures, that still goes through every node.
    """
    workflow = json.loads(json.dumps(workflow))
    named = {
        value for node in every_node(workflow) for value in node["widgets_values"] if isinstance(value, str)
    }
    sizes = [size for name, size in SMALL_CASCADES.items() if name in named]
    small = SMALL | ({"EmptyLatentImage": dict(enumerate(sizes[-1]))} if sizes else {})
    for node in every_node(workflow):
        for place, value in small.get(node["type"], {}).items():
            node["widgets_values"][place] = value
    return workflow


def with_small_parts(graph: dict) -> dict:
    """A graph in API format whose T5-XXL is the demo's text encoder,
    and whose Stable Video Diffusion sees through IMAGE_ENCODER.
    """
    graph = json.loads(json.dumps(graph))
    for number, node in graph.items():
        if node["inputs"].get("clip_name") == SHOW1_TEXT:
            graph[number] = {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": DEMO_CHECKPOINT}}
        if node["class_type"] == "ZoetropeEncodeShow1Text":
            node["class_type"] = "CLIPTextEncode"
            node["inputs"]["clip"] = [node["inputs"]["clip"][0], 1]
    for node in [node for node in graph.values() if node["class_type"] in IMAGE_NODES]:
        graph["image_encoder"] = {"class_type": "CLIPVisionLoader", "inputs": {"clip_name": IMAGE_ENCODER}}
        node["inputs"]["clip_vision"] = ["image_encoder", 0]
    return graph
