"""Stand-in weights: files with the names and key layouts of published ones,
small enough for a CPU, with seeded values.

They are 64 channels wide, so that ComfyUI detects them as the pack's tiny family; what they make is noise,
but it goes the way of the full-size files: the ordinary loaders, sampler, ControlNet and VAE nodes.
"""

from __future__ import annotations

import json
import math
import re
import shutil
from pathlib import Path

import av
import comfy.cldm.cldm
import comfy.ops
import comfy.utils
import numpy as np
import torch
from comfy.ldm.modules.diffusionmodules.model import Decoder, Encoder
from PIL import Image
from safetensors.torch import save_file
from zoetrope.demo import networks
from zoetrope.demo.workflow_api import every_node
from zoetrope.motion_modules.animatediff.files import to_original_names
from zoetrope.motion_modules.animatediff.layers import MotionConfig, MotionModel
from zoetrope.motion_modules.camera.camera_ctrl import CameraCtrl, is_own, to_file, with_poses

from ..gold_weights import fill, gold_tensor
from ..places import ROOT

CHECKPOINT = "v1-5-pruned-emaonly-fp16.safetensors"
CONTROLNET = "control_v11p_sd15_canny_fp16.safetensors"
MOTION_V2 = "mm_sd_v15_v2.ckpt"
SPARSECTRL = "v3_sd15_sparsectrl_rgb.ckpt"
MOTION_V3 = "v3_sd15_mm.ckpt"
CAMERA = "CameraCtrl_pruned.safetensors"
MOTION_LCM, LORA_LCM = "AnimateLCM_sd15_t2v.ckpt", "AnimateLCM_sd15_t2v_lora.safetensors"
VAE = "vae-ft-mse-840000-ema-pruned.safetensors"
INPUT_IMAGE, INPUT_VIDEO = "example.png", "input_video.mp4"
VIDEO_FPS = 24
VIDEO_FRAMES = 31
WIDTH, HEIGHT = 64, 128


def put_standins(models: Path) -> None:
    """Writes every model file that the example workflows name,
    but for the demo's own, to the folder models.
    """
    save_file(checkpoint(), models / "checkpoints" / CHECKPOINT)
    save_file(controlnet(), models / "controlnet" / CONTROLNET)
    torch.save({"controlnet": sparsectrl()}, models / "controlnet" / SPARSECTRL)
    motion = models / "animatediff_models"
    torch.save(motion_module(with_mid=True), motion / MOTION_V2)
    torch.save(
        {"state_dict": {f"module.{k}": v for k, v in motion_module(with_mid=False).items()}},
        motion / MOTION_V3,
    )
    save_file(camera_control(), motion / CAMERA)
    tables = "pos_encoder.pe"  # which AnimateLCM's file lacks
    torch.save(
        {k: v for k, v in motion_module(with_mid=True).items() if not k.endswith(tables)}, motion / MOTION_LCM
    )
    save_file(lora(), models / "loras" / LORA_LCM)
    (models / "vae").mkdir(exist_ok=True)
    save_file(whole_vae(), models / "vae" / VAE)


def checkpoint() -> dict[str, torch.Tensor]:
    """A checkpoint in the layout of Stable Diffusion 1
    with a text encoder of two tokens and a narrow autoencoder.
    """
    tokens = [networks.START_TOKEN, networks.END_TOKEN]
    unet = fill(networks.make_unet(), gains={"out.2.": 0.3})
    text, decoder = fill(networks.TextEncoder(tokens)), fill(networks.Decoder())
    return networks.export_checkpoint(unet.state_dict(), text.state_dict(), tokens, decoder.taesd_state())


def sites_of(with_mid: bool) -> dict[str, int]:
    """The published sites of a motion module and their channels."""
    widths = [networks.UNET_WIDTH * factor for factor in networks.UNET_MULT]
    sites = {
        f"down_blocks.{level}.motion_modules.{i}": width
        for level, width in enumerate(widths)
        for i in range(2)
    }
    sites |= {
        f"up_blocks.{level}.motion_modules.{i}": width
        for level, width in enumerate(reversed(widths))
        for i in range(3)
    }
    if with_mid:
        sites["mid_block.motion_modules.0"] = widths[-1]
    return sites


def motion_module(with_mid: bool) -> dict[str, torch.Tensor]:
    """A motion module under its published key names: v2 with a module in the middle block, v3 without."""
    sites = sites_of(with_mid)
    model = fill(MotionModel(MotionConfig(version="v2" if with_mid else "v3", site_channels=sites)))
    return {k: v.detach().half().clone() for k, v in to_original_names(model).items()}


def controlnet() -> dict[str, torch.Tensor]:
    """A ControlNet in the layout of the published SD1.x files;
    its zero convolutions are small instead of zero.
    """
    width, mult, text = networks.UNET_WIDTH, networks.UNET_MULT, networks.TEXT_WIDTH
    model = comfy.cldm.cldm.ControlNet(
        image_size=16,
        in_channels=4,
        model_channels=width,
        hint_channels=3,
        num_res_blocks=[2] * 4,
        channel_mult=mult,
        num_heads=networks.UNET_HEADS,
        num_head_channels=-1,
        use_spatial_transformer=True,
        transformer_depth=[1] * 6 + [0] * 2,
        transformer_depth_middle=1,
        context_dim=text,
        legacy=False,
        device="meta",
        operations=comfy.ops.disable_weight_init,
    )
    gain = re.compile(r"zero_convs|middle_block_out|input_hint_block\.14")
    return {
        f"control_model.{k}": gold_tensor(k, v.shape, 0.3 if gain.match(k) else 1.0).half()
        for k, v in model.state_dict().items()
    }


def camera_control() -> dict[str, torch.Tensor]:
    """CameraCtrl's pruned file: its encoder and its merging layers, on the stand-in of the v3 module."""
    model = fill(CameraCtrl(with_poses(MotionConfig("v3", sites_of(with_mid=False)), {})))
    return {k: v.detach().half().clone() for k, v in to_file(model).items() if is_own(k)}


def whole_vae() -> dict[str, torch.Tensor]:
    """A VAE of Stable Diffusion's kind: a narrow decoder, and an encoder of the one width that core takes."""
    shape = {"attn_resolutions": (), "resolution": 256, "z_channels": 4, "in_channels": 3, "out_ch": 3}
    shape |= {"ch_mult": (1, 2, 4, 4), "num_res_blocks": 2}
    encoder = Encoder(**shape, ch=128).state_dict()
    tensors = {f"encoder.{key}": 0.02 * torch.randn(value.shape).half() for key, value in encoder.items()}
    decoder = fill(Decoder(**shape, ch=32)).state_dict()
    tensors |= {f"decoder.{key}": value for key, value in decoder.items()}
    for name, width in (("quant_conv", 8), ("post_quant_conv", 4)):
        tensors |= {f"{name}.weight": torch.eye(width)[..., None, None], f"{name}.bias": torch.zeros(width)}
    return tensors


def lora() -> dict[str, torch.Tensor]:
    """A LoRA of the UNet's first transformers under the key names of kohya's scripts."""
    out, width, rank = {}, networks.UNET_WIDTH, 3
    for number in range(2):
        layer = f"lora_unet_down_blocks_0_attentions_{number}_transformer_blocks_0_attn1_to_q"
        for side, shape in (("up", (width, rank)), ("down", (rank, width))):
            out[f"{layer}.lora_{side}.weight"] = gold_tensor(f"{layer}.{side}", shape).half()
        out[f"{layer}.alpha"] = torch.tensor(float(rank))
    return out


def sparsectrl() -> dict[str, torch.Tensor]:
    """SparseCtrl's rgb file: a ControlNet under diffusers' names with motion modules of one attention."""
    config = {**networks.UNET_CONFIG, "transformer_depth_output": [0] * 12}
    names = {ours: theirs for theirs, ours in comfy.utils.unet_to_diffusers(config).items()}
    names |= {f"middle_block_out.0.{side}": f"controlnet_mid_block.{side}" for side in ("weight", "bias")}
    tensors = {}
    for key, value in controlnet().items():
        key = key.removeprefix("control_model.")
        if key.startswith("zero_convs."):
            _, number, _, side = key.split(".")
            tensors[f"controlnet_down_blocks.{number}.{side}"] = value
        elif not key.startswith("input_hint_block."):
            tensors[names[key]] = value
    for side, shape in (("weight", (networks.UNET_WIDTH, 5, 3, 3)), ("bias", (networks.UNET_WIDTH,))):
        tensors[f"controlnet_cond_embedding.{side}"] = gold_tensor(f"sparse.{side}", shape).half()
    sites = {k: v for k, v in sites_of(with_mid=False).items() if k.startswith("down_blocks.")}
    motion = fill(MotionModel(MotionConfig("v3", sites, num_attention_blocks=1)))
    return tensors | {k: v.detach().half().clone() for k, v in to_original_names(motion).items()}


def moving_square(frames: int, width: int, height: int) -> np.ndarray:
    """A bright square on a circle over a dark gradient: (F, H, W, 3), 0..255."""
    ys, xs = np.mgrid[0:height, 0:width]
    video = np.stack([np.stack([xs % 256 // 2, ys % 256 // 2, np.full_like(xs, 60)], -1)] * frames).astype(
        np.uint8
    )
    side = min(width, height) // 3
    for i, frame in enumerate(video):
        x = int((width - side) * (0.5 + 0.5 * math.cos(i / 5)))
        y = int((height - side) * (0.5 + 0.5 * math.sin(i / 5)))
        frame[y : y + side, x : x + side] = (240, 200, 40)
    return video


def put_inputs(folder: Path) -> None:
    """Writes the picture and the video that the example workflows load to a server's input folder."""
    raw = ROOT / "demo" / "inputs" / "raw_videos"
    shutil.copytree(raw, folder / raw.name, dirs_exist_ok=True)
    Image.fromarray(moving_square(1, 96, 80)[0]).save(folder / INPUT_IMAGE)
    with av.open(str(folder / INPUT_VIDEO), "w") as container:
        stream = container.add_stream("libx264", rate=VIDEO_FPS)
        stream.width, stream.height, stream.pix_fmt = 96, 80, "yuv420p"
        for image in moving_square(VIDEO_FRAMES, 96, 80):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


# Widget number -> value that makes a run a matter of seconds.
# Two windows at least remain where the workflow has windows.
SMALL = {
    "EmptyLatentImage": {0: WIDTH, 1: HEIGHT},
    "ImageScale": {1: WIDTH, 2: HEIGHT},
    "KSampler": {2: 2},
    "ZoetropeScheduleValues": {1: 5},
    "ZoetropePrepareText2VideoZero": {0: 5},
    "ZoetropeTrainMotionLora": {0: 2},
    "ZoetropeRunSeedsOnWorkers": {0: "3, 7"},
    "ZoetropeTrainVideoLora": {0: 2},
    "ZoetropeTrainTemporalDecoder": {0: 4, 2: 2},
    "ZoetropeApplyMotionModule": {5: 0},
    "ZoetropeTrainTemporalLayers": {0: 2},
    "ZoetropeTakeFrames": {5: 5, 7: WIDTH, 8: HEIGHT},
    "ZoetropeEncodeVideo": {2: 0, 7: WIDTH, 8: HEIGHT, 9: "stretch"},  # every frame of the video
}
SMALL_FRAMES = {
    ("EmptyLatentImage", 64): 23,
    ("EmptyLatentImage", 48): 15,
    ("EmptyLatentImage", 40): 20,
    ("ZoetropeMakeVideoSet", 16): 5,
    ("EmptyLatentImage", 32): 23,
    ("EmptyLatentImage", 16): 5,
    ("EmptyLatentImage", 6): 5,
    ("RepeatLatentBatch", 16): 7,
}


def shrink(workflow: dict) -> dict:
    """A copy of a UI-format workflow with few steps and small pictures,
    that still goes through every node.
    """
    workflow = json.loads(json.dumps(workflow))
    for node in every_node(workflow):
        values = node.get("widgets_values", [])
        for place, value in SMALL.get(node["type"], {}).items():
            values[place] = value
        if values:
            frames = SMALL_FRAMES.get((node["type"], values[-1]))
            values[-1] = frames or values[-1]
    return workflow
