"""Stand-ins for the files of the video systems' example workflows:
published names and layouts, small networks, seeded values.

The networks are those of tests/networks with the published widths of text and image tokens.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from ...demo.workflow_api import every_node
from ..networks.encoders import clip_l_text, openclip_text, openclip_vision, small_vae
from ..networks.lavie import LAVIE, tiny_lavie
from ..networks.modelscope import tiny_modelscope
from ..networks.show1 import SHOW1, tiny_show1
from ..networks.svd import tiny_svd
from ..networks.videocrafter import whole_file
from . import standins

WIDTH, HEIGHT, FRAMES = standins.WIDTH, standins.HEIGHT, 5


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
        "videocrafter2_t2v_512.ckpt": "videocrafter/t2v_512_v2_w64",
        "videocrafter1_i2v_512.ckpt": "videocrafter/i2v_512_v1_w64",
        "dynamicrafter_512.ckpt": "dynamicrafter/dc_1024_w64",
        "dynamicrafter_512_interp.ckpt": "dynamicrafter/dc_1024_w64",
    }
    for name, case in files.items():
        tensors = whole_file(case, FRAMES, base_scale=0.7)
        torch.save({"state_dict": tensors}, models / "diffusion_models" / name)


def put_cascades(models: Path) -> None:
    """LaVie's networks, and Show-1's, which are for the demo's text encoder:
    T5-XXL is too large for a test.
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
    "ZoetropeInterpolateImagesSVD": {0: WIDTH, 1: HEIGHT, 2: FRAMES},
    "ZoetropeTakeFrames": {5: FRAMES, 7: WIDTH, 8: HEIGHT},
    "ZoetropeTrainVideoLora": {0: 2, 4: 3},
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
IMAGE_NODES = ("ZoetropeAnimateImageSVD", "ZoetropeInterpolateImagesSVD", "ZoetropeSetOrbit")
"""Nodes that get Stable Video Diffusion's image encoder from a file of its own."""
DEMO_CHECKPOINT = "zoetrope_tiny_sd.safetensors"


def shrink(workflow: dict) -> dict:
    """A copy of a UI-format workflow with few steps,
    few frames and small pictures, that still goes through every node.
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
