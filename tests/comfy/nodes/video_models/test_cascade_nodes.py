"""LaVie's and Show-1's stages in a running ComfyUI, over its HTTP API, with good and with bad input."""

import pytest
import torch
from safetensors.torch import load
from zoetrope.devtools.server import ComfyError
from zoetrope.tests.comfy.nodes.animatediff.test_motion_nodes import CHECKPOINT
from zoetrope.tests.networks.lavie import LAVIE, tiny_lavie
from zoetrope.tests.networks.show1 import SHOW1, tiny_show1


@pytest.fixture(scope="module")
def server(comfy_server, comfy_models):
    folder = comfy_models / "diffusion_models"
    folder.mkdir(exist_ok=True)
    for kind in LAVIE:
        torch.save({"ema": tiny_lavie(kind)}, folder / f"lavie_{kind}.pt")
    for kind in SHOW1:
        torch.save(tiny_show1(kind), folder / f"show-1-{kind}.bin")
    return comfy_server


class Graph:
    """A workflow in API format; `add` returns the node's number, to be used as (number, output)."""

    def __init__(self):
        self.nodes = {}
        loader = self.add("CheckpointLoaderSimple", ckpt_name=CHECKPOINT)
        self.vae = (loader, 2)
        self.pixels = (self.add("VAELoader", vae_name="pixel_space"), 0)
        self.positive = (
            self.add("CLIPTextEncode", clip=(loader, 1), text="a red ball on a blue background"),
            0,
        )
        self.negative = (self.add("CLIPTextEncode", clip=(loader, 1), text=""), 0)
        self.text = {"positive": self.positive, "negative": self.negative}

    def add(self, kind, **inputs):
        number = str(len(self.nodes) + 1)
        self.nodes[number] = {
            "class_type": kind,
            "inputs": {k: list(v) if isinstance(v, tuple) else v for k, v in inputs.items()},
        }
        return number

    def load(self, name):
        return (self.add("ZoetropeLoadVideoModel", model_name=name), 0)

    def sample(self, model, positive, negative, latent, **settings):
        settings = {
            "seed": 3,
            "steps": 2,
            "cfg": 4.0,
            "sampler_name": "ddim",
            "scheduler": "normal",
            "denoise": 1.0,
            **settings,
        }
        return (
            self.add(
                "KSampler", model=model, positive=positive, negative=negative, latent_image=latent, **settings
            ),
            0,
        )

    def conditioned(self, kind, **inputs):
        node = self.add(kind, **inputs)
        return (node, 0), (node, 1), (node, 2)

    def empty(self, frames, width=64, height=64):
        """ComfyUI makes of it what the model works on: latents of an eighth, or pixels."""
        return (self.add("EmptyLatentImage", width=width, height=height, batch_size=frames), 0)

    def image(self, frames):
        return (self.add("EmptyImage", width=64, height=64, batch_size=frames, color=0x3366CC), 0)

    def decoded(self, latent):
        return (self.add("VAEDecode", samples=latent, vae=self.pixels), 0)

    def run(self, server, latent):
        save = self.add("SaveLatent", samples=latent, filename_prefix="cascade")
        return load(server.view(server.prompt(self.nodes)["outputs"][save]["latents"][0]))["latent_tensor"]


def show1_cascade(graph, first_frame=False):
    """Three of Show-1's four stages: 3 key frames, 9 frames, 9 frames four times as large."""
    model = graph.load("show-1-base.bin")
    key_frames = graph.decoded(graph.sample(model, graph.positive, graph.negative, graph.empty(3, 16, 16)))
    conditioned = graph.conditioned(
        "ZoetropeConditionKeyFrames", **graph.text, vae=graph.pixels, images=key_frames
    )
    windows = graph.add(
        "ZoetropeApplyContextWindows",
        model=graph.load("show-1-interpolation.bin"),
        context_length=5,
        context_overlap=1,
        context_schedule="standard_static",
        context_stride=1,
        closed_loop=False,
        fuse_method="pyramid",
        noise_type="default",
        windows_per_batch=0,
        frame_axis="auto",
        frames_per_video=0,
    )
    video = graph.decoded(graph.sample((windows, 0), *conditioned))
    first = {}
    if first_frame:
        image = graph.add("ImageFromBatch", image=video, batch_index=0, length=1)
        first = {
            "first_frame": (
                graph.add("ImageScaleBy", image=(image, 0), upscale_method="lanczos", scale_by=4.0),
                0,
            )
        }
    positive, negative, latent = graph.conditioned(
        "ZoetropeConditionLowResolution",
        **graph.text,
        vae=graph.pixels,
        images=video,
        noise_level=250,
        **first,
    )
    model = graph.load("show-1-sr1.bin")
    select = graph.add("KSamplerSelect", sampler_name="dpmpp_2m")
    turns = graph.add("ZoetropeSampleInTurns", sampler=(select, 0), length=5, overlap=1)
    sigmas = graph.add("BasicScheduler", model=model, scheduler="normal", steps=2, denoise=1.0)
    sampled = graph.add(
        "SamplerCustom",
        model=model,
        add_noise=True,
        noise_seed=3,
        cfg=7.0,
        positive=positive,
        negative=negative,
        sampler=(turns, 0),
        sigmas=(sigmas, 0),
        latent_image=latent,
    )
    return (sampled, 0)


def test_show1_from_text_to_a_large_video(server):
    graph = Graph()
    out = graph.run(server, show1_cascade(graph))
    assert out.shape == (9, 3, 64, 64)
    assert out.isfinite().all() and out.std() > 0.01
    graph = Graph()
    other = graph.run(server, show1_cascade(graph, first_frame=True))
    assert (other - out).abs().max() > 1e-3


def test_lavie_from_text_to_a_large_video(server):
    """Base, interpolation and upscaling; the demo's VAE stands for that of SD1.x."""
    graph = Graph()
    latents = graph.sample(
        graph.load("lavie_base.pt"),
        graph.positive,
        graph.negative,
        graph.empty(3, 64, 40),
        sampler_name="ddpm",
    )
    key_frames = (graph.add("VAEDecode", samples=latents, vae=graph.vae), 0)
    conditioned = graph.conditioned(
        "ZoetropeConditionKeyFrames", **graph.text, vae=graph.vae, images=key_frames
    )
    latents = graph.sample(graph.load("lavie_interpolation.pt"), *conditioned)
    video = (graph.add("VAEDecode", samples=latents, vae=graph.vae), 0)
    small = (
        graph.add("ImageScale", image=video, upscale_method="area", width=16, height=10, crop="disabled"),
        0,
    )
    conditioned = graph.conditioned(
        "SD_4XUpscale_Conditioning", images=small, **graph.text, scale_ratio=4.0, noise_augmentation=0.143
    )
    out = graph.run(server, graph.sample(graph.load("lavie_vsr.pt"), *conditioned))
    assert out.shape == (9, 4, 10, 16)
    assert out.isfinite().all() and out.std() > 0.01


def interpolation_of(graph, frames, vae, model):
    conditioned = graph.conditioned(
        "ZoetropeConditionKeyFrames", **graph.text, vae=vae, images=graph.image(frames)
    )
    return graph.sample(graph.load(model), *conditioned)


def text_to_video_of(graph, model, positive=None):
    return graph.sample(graph.load(model), positive or graph.positive, graph.negative, graph.empty(2))


def with_show1_text(graph):
    return text_to_video_of(
        graph, "show-1-base.bin", (graph.add("ZoetropeEncodeShow1Text", clip=("1", 1), text="a cat"), 0)
    )


def low_resolution_of(graph, vae):
    conditioned = graph.conditioned(
        "ZoetropeConditionLowResolution", **graph.text, vae=vae, images=graph.image(2), noise_level=250
    )
    return graph.sample(graph.load("show-1-sr1.bin"), *conditioned)


@pytest.mark.parametrize(
    ("build", "told"),
    [
        (
            lambda g: interpolation_of(g, 1, g.pixels, "show-1-interpolation.bin"),
            "at least 2 key frames, got 1",
        ),
        (
            lambda g: interpolation_of(g, 2, g.vae, "show-1-interpolation.bin"),
            "wire the VAE of Load VAE with pixel_space",
        ),
        (lambda g: interpolation_of(g, 2, g.pixels, "lavie_interpolation.pt"), "wire the VAE of SD1.x"),
        (lambda g: low_resolution_of(g, g.vae), "Show-1 works on pixels, this VAE makes 4 channels"),
        (lambda g: text_to_video_of(g, "lavie_vsr.pt"), "put SD_4XUpscale_Conditioning between"),
        (lambda g: text_to_video_of(g, "show-1-sr1.bin"), "put Condition On Low Resolution"),
        (with_show1_text, "another text encoder"),
    ],
    ids=[
        "one key frame",
        "latents to pixels",
        "pixels to latents",
        "small latents",
        "no small video",
        "no small pixels",
        "CLIP for T5",
    ],
)
def test_bad_input_says_what_to_wire(server, build, told):
    graph = Graph()
    with pytest.raises(ComfyError, match=told):
        graph.run(server, build(graph))
