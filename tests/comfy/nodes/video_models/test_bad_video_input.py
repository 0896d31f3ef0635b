"""What a person wires wrongly around Load Video Model is answered with what to wire instead:
one table, through the nodes.
"""

import comfy.sd
import pytest
import torch
from zoetrope.nodes.video_models import (
    AnimateImage,
    ConditionKeyFrames,
    ConditionLowResolution,
    LoadVideoLora,
    LoadVideoModel,
    LoadVideoVAE,
)
from zoetrope.tests.gold_weights import gold_input
from zoetrope.tests.networks.encoders import small_vae
from zoetrope.tests.networks.video_networks import VIDEO_NETWORKS
from zoetrope.tests.networks.videocrafter import conds_for

import nodes as core

DC = "dynamicrafter/dc_1024_w64"
FILES = {
    **{name: network.tensors for name, network in VIDEO_NETWORKS.items()},
    "checkpoint": lambda: {
        "model.diffusion_model.input_blocks.0.0.weight": torch.zeros(320, 4, 3, 3),
        "cond_stage_model.transformer.x": torch.zeros(1),
    },
    "lora": lambda: {"lora_unet_down_blocks_0_attentions_0_proj_in.lora_up.weight": torch.zeros(320, 4)},
    "vae": lambda: {
        "encoder.down.0.block.0.conv1.weight": torch.zeros(128, 128, 3, 3),
        "decoder.conv_in.weight": torch.zeros(1),
    },
    "motion_module": lambda: {
        "down_blocks.0.motion_modules.0.temporal_transformer.proj_in.weight": torch.zeros(320, 320)
    },
    "text_encoder": lambda: {"text_model.embeddings.token_embedding.weight": torch.zeros(9, 768)},
    "damaged_svd": lambda: {
        "model.diffusion_model.input_blocks.1.0.time_stack.in_layers.0.weight": torch.zeros(320)
    },
}


class Graph:
    """What the cases are wired of; files are written and loaded when they are asked for."""

    def __init__(self, folder):
        self.folder = folder
        self.loaded = {}

    def file(self, name, keep=1.0):
        """The listed name of a file; keep: the part of its bytes that was downloaded."""
        path = self.folder / f"bad_{name}_{keep}.pth"
        if not path.exists():
            torch.save(FILES[name](), path)
            content = path.read_bytes()
            path.write_bytes(content[: int(keep * len(content))])
        return path.name

    def load(self, name, keep=1.0):
        if name not in self.loaded or keep < 1:
            self.loaded[name] = LoadVideoModel.execute(self.file(name, keep)).args
        return self.loaded[name]

    def model(self, name):
        return self.load(name)[0]

    def sample(self, name, width=64, frames=2, size=(64, 64), channels=None, latent=None, extra=None):
        """Empty Latent Image and KSampler; width: of the text.
        channels: of an encoded video instead of an empty one.
        """
        if latent is None:
            latent = core.EmptyLatentImage().generate(*size, frames)[0]
            if channels:
                latent = {"samples": gold_input("encoded", (frames, channels, size[1] // 8, size[0] // 8))}
        prompts = [
            [[gold_input(kind, (1, 7, width)), dict(extra or {})]] for kind in ("positive", "negative")
        ]
        return core.KSampler().sample(self.model(name), 1, 1, 4.0, "euler", "normal", *prompts, latent)


def pixel_vae():
    return comfy.sd.VAE(sd={"pixel_space_vae": torch.tensor(1.0)})


def latent_vae():
    return comfy.sd.VAE(sd=small_vae())


def images(count, size=64):
    return gold_input("pictures", (count, size, size, 3)).sigmoid()


def prompts(width):
    return [[[gold_input(kind, (1, 7, width)), {}]] for kind in ("positive", "negative")]


def key_frames(graph, name, vae):
    positive, negative, latent = ConditionKeyFrames.execute(
        *prompts(64), vae, images(2, 16 if vae.latent_channels == 3 else 64)
    ).args
    return core.KSampler().sample(graph.model(name), 1, 1, 4.0, "euler", "normal", positive, negative, latent)


def animated(graph, frames, sampled_frames=None):
    """DynamiCrafter's golden network makes 4 frames at a time where the published one makes 16."""
    conds = [[[text, extra]] for text, extra in conds_for(DC, sampled_frames or frames)]
    return core.KSampler().sample(
        graph.model("dynamicrafter_512"),
        1,
        1,
        4.0,
        "euler",
        "normal",
        *conds,
        {"samples": torch.zeros(frames, 4, 8, 8)},
    )


def animate_image(graph, **changes):
    given = {
        "width": 64,
        "height": 64,
        "num_frames": 4,
        "fps": 24.0,
        "closed_loop": False,
        "start_image": images(1),
    }
    _, _, vae, clip_vision, _ = graph.load("dynamicrafter_512")
    encoders = {"clip_vision": clip_vision, "vae": vae}
    return AnimateImage.execute(*prompts(48), **encoders | given | changes)


BAD = {
    # wrong files
    "an image checkpoint": (lambda g: g.load("checkpoint"), "not a video network.*Load Checkpoint"),
    "a LoRA": (lambda g: g.load("lora"), "not a video network.*a LoRA .use Load LoRA"),
    "a VAE": (lambda g: g.load("vae"), "not a video network.*a VAE .use Load VAE"),
    "a motion module": (lambda g: g.load("motion_module"), "not a video network.*Load Motion Module"),
    "a text encoder": (
        lambda g: g.load("text_encoder"),
        "not a video network.*a text encoder .use Load CLIP",
    ),
    "a part of Stable Video Diffusion": (
        lambda g: g.load("damaged_svd"),
        "lacks the key .*the file is incomplete, download it again",
    ),
    "half a download": (lambda g: g.load("modelscope", keep=0.5), "cannot be read.*download it again"),
    "an empty file": (lambda g: g.load("modelscope", keep=0.0), r"is empty \(0 bytes\)"),
    "a network as VAE": (lambda g: LoadVideoVAE.execute(g.file("modelscope")), "has no VAE: expected keys"),
    "a network as LoRA": (
        lambda g: LoadVideoLora.execute(g.model("modelscope"), g.file("vae"), 1.0),
        "changes no layer of ModelScopeT2V",
    ),
    "a LoRA of another network": (
        lambda g: LoadVideoLora.execute(g.model("show1_base"), g.file("lora"), 1.0),
        "changes no layer of Show-1 base",
    ),
    # sizes and numbers of frames
    "a width that is no multiple of 16": (
        lambda g: animate_image(g, width=500),
        "width=500 must be a multiple of 16 pixels; change it to 496",
    ),
    "pixels that cannot be halved": (
        lambda g: g.sample("show1_base", size=(100, 64), latent={"samples": torch.zeros(2, 3, 12, 20)}),
        "Show-1 base.*multiples of 8 pixels, got 20 x 12; change the size",
    ),
    "pixels that the upscaling cannot halve": (
        lambda g: g.sample("show1_sr1", latent={"samples": torch.zeros(2, 3, 24, 32)}),
        "multiples of 16 pixels, got 32 x 24",
    ),
    "more frames than DynamiCrafter's": (
        lambda g: animated(g, 5),
        "exactly 4 frames at a time and got 5; give the latent 4 frames.*Context Windows",
    ),
    "fewer frames than DynamiCrafter's": (lambda g: animated(g, 3), "exactly 4 frames at a time and got 3"),
    "a latent of another length than the image conditioning": (
        lambda g: animated(g, 4, sampled_frames=6),
        "made for 6 frames.*the latent has 4.*wire the LATENT output",
    ),
    "a video latent of five dimensions": (
        lambda g: g.sample("modelscope", 1024, latent={"samples": torch.zeros(1, 4, 5, 8, 8)}),
        "frames of a video as a batch.*Use Empty Latent Image",
    ),
    # text
    "no text encoder": (
        lambda g: core.CLIPTextEncode().encode(g.load("modelscope")[1], "a cat"),
        "no text encoder; wire Load CLIP with open_clip",
    ),
    "no text encoder for LaVie": (
        lambda g: core.CLIPTextEncode().encode(g.load("lavie_base")[1], "a cat"),
        "no text encoder; wire.*clip_l.safetensors",
    ),
    "no text encoder for Show-1": (
        lambda g: core.CLIPTextEncode().encode(g.load("show1_base")[1], "a cat"),
        "no text encoder; wire.*T5-XXL",
    ),
    "SD1.5's CLIP into ModelScope": (
        lambda g: g.sample("modelscope", 768),
        "reads text of width 1024, the conditioning has width 768.*OpenCLIP ViT-H",
    ),
    "CLIP of another width into LaVie": (lambda g: g.sample("lavie_base", 1024), "has width 1024.*CLIP-L"),
    "CLIP instead of T5 into Show-1": (
        lambda g: g.sample("show1_base", 768, latent={"samples": torch.zeros(2, 3, 16, 16)}),
        "width 768.*T5-XXL into Encode Text .Show-1.",
    ),
    # images and videos that a network needs
    "VideoCrafter image to video without an image": (
        lambda g: g.sample("videocrafter1_i2v_512", 48),
        "makes a video of an image.*image-to-video conditioning node",
    ),
    "DynamiCrafter without an image": (
        lambda g: g.sample("dynamicrafter_512", 48, frames=4),
        "image.*image-to-video conditioning node",
    ),
    "several images for one": (
        lambda g: animate_image(g, start_image=images(3)),
        "start_image holds 3 images and needs one; pick it with ImageFromBatch",
    ),
    "LaVie interpolation without key frames": (
        lambda g: g.sample("lavie_interpolation", frames=5),
        "put Condition On Key Frames between",
    ),
    "LaVie super-resolution without a video": (
        lambda g: g.sample("lavie_vsr"),
        "put SD_4XUpscale_Conditioning between",
    ),
    "Show-1 upscaling without a video": (
        lambda g: g.sample("show1_sr1", latent={"samples": torch.zeros(2, 3, 16, 16)}),
        "put Condition On Low Resolution",
    ),
    # pixels and latents confused
    "latents into a network of pixels": (
        lambda g: g.sample("show1_base", channels=4),
        "takes latents of 3 channels, these have 4; encode.*VAE",
    ),
    "pixels into a network of latents": (
        lambda g: g.sample("modelscope", 1024, channels=3),
        "takes latents of 4 channels, these have 3; encode.*VAE",
    ),
    "key frames as latents for Show-1": (
        lambda g: key_frames(g, "show1_interpolation", latent_vae()),
        "3 channels|pixel_space",
    ),
    "key frames as pixels for LaVie": (
        lambda g: key_frames(g, "lavie_interpolation", pixel_vae()),
        "4 channels.*VAE",
    ),
    "a VAE of latents for Show-1's upscaling": (
        lambda g: ConditionLowResolution.execute(*prompts(64), latent_vae(), images(2), 250),
        "works on pixels.*pixel_space",
    ),
    "the VAE output of a file without one": (
        lambda g: core.VAEDecode().decode(g.load("modelscope")[2], {"samples": torch.zeros(1, 4, 8, 8)}),
        "carries no VAE; wire Load VAE",
    ),
    "the image encoder of a file without one": (
        lambda g: animate_image(g, clip_vision=g.load("modelscope")[3], vae=latent_vae()),
        "carries no image encoder; wire Load CLIP Vision",
    ),
}


@pytest.fixture(scope="module")
def graph(comfy_base):
    folders = [comfy_base / "models" / name for name in ("diffusion_models", "vae", "loras")]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    made = Graph(folders[0])
    for name in ("modelscope", "vae", "lora"):  # what is listed under the other nodes' folders too
        for folder in folders[1:]:
            (folder / made.file(name)).write_bytes((folders[0] / made.file(name)).read_bytes())
    yield made
    for folder in folders:
        for path in folder.glob("bad_*.pth"):
            path.unlink()


@pytest.mark.parametrize("case", BAD)
def test_what_is_wired_wrongly_says_what_to_wire(graph, case):
    wire, told = BAD[case]
    with pytest.raises(ValueError, match=f"(?s){told}"):
        wire(graph)
