"""The random prompts of the soak: the pack's kinds of work in small, also what fails or is interrupted."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

CHECKPOINT, CONTROLNET = "zoetrope_tiny_sd.safetensors", "zoetrope_tiny_control_blob.safetensors"
MODULES = ("zoetrope_tiny_mm.safetensors", "zoetrope_tiny_mm_v2.safetensors")
MOTION_LORAS = ("zoetrope_tiny_lora_PanRight.safetensors", "zoetrope_tiny_lora_ZoomIn.safetensors")
DAMAGED_MODULE, VIDEO, DAMAGED_VIDEO = "damaged.safetensors", "soak.mp4", "damaged.mp4"
VIDEO_FRAMES, WIDTH, HEIGHT = 11, 64, 48
FRAMES = (2, 3, 5, 7)
SUCCESS, ERROR, REFUSED, INTERRUPTED = "success", "error", "refused", "interrupted"
TOO_MANY = 33  # frames for a motion module without windows


@dataclass(frozen=True)
class Case:
    """A prompt and how it has to end.

    words: in the message of one that fails. seconds: after which one is interrupted, from its beginning on.
    """

    kind: str
    graph: dict
    end: str = SUCCESS
    words: str = ""
    seconds: float = 0.0


class Graph(dict):
    """A prompt in API format, which grows by add(); each begins with the checkpoint, so that it stays."""

    def __init__(self, object_info: dict):
        super().__init__()
        self.object_info = object_info
        self.model = self.add("CheckpointLoaderSimple", ckpt_name=CHECKPOINT)
        self.clip, self.vae = [self.model[0], 1], [self.model[0], 2]

    def add(self, kind: str, **inputs) -> list:
        """Adds a node, its other widgets at their defaults, and returns its first output."""
        for name, spec in self.object_info[kind]["input"].get("required", {}).items():
            options = spec[1] if len(spec) > 1 else {}
            if name not in inputs and (choices := self.choices(kind, name)):
                inputs[name] = options.get("default", choices[0])
            elif name not in inputs and "default" in options:
                inputs[name] = options["default"]
        number = str(len(self) + 1)
        self[number] = {"class_type": kind, "inputs": inputs}
        return [number, 0]

    def choices(self, kind: str, name: str) -> list:
        """What may be chosen in a combo box; nothing for other inputs."""
        spec = self.object_info[kind]["input"]["required"][name]
        return spec[0] if isinstance(spec[0], list) else spec[1].get("options", []) if len(spec) > 1 else []

    def sample(
        self, rng: random.Random, model=None, frames=3, latent=None, steps=2, control=None, **settings
    ) -> list:
        """Adds prompts and a sampler of frames of 64x64 pixels or of these latents; returns its latents."""
        text = rng.choice(("a red ball", "a blue square on grey", "")) + rng.choice(
            (" moving right", " growing", "")
        )
        positive, negative = (self.add("CLIPTextEncode", clip=self.clip, text=words) for words in (text, ""))
        if control:
            positive = self.add(
                "ControlNetApplyAdvanced", positive=positive, negative=negative, strength=0.7, **control
            )
            negative = [positive[0], 1]
        latent = latent or self.add("EmptyLatentImage", width=64, height=64, batch_size=frames)
        return self.add(
            "KSampler",
            model=model or self.model,
            seed=rng.randrange(2**32),
            steps=steps,
            cfg=4.0,
            positive=positive,
            negative=negative,
            sampler_name=rng.choice(("euler", "dpmpp_2m", "euler_ancestral")),
            latent_image=latent,
            **settings,
        )

    def moving(self, rng: random.Random, **settings) -> list:
        """Adds a motion module, perhaps with MotionLoRAs, and returns the MODEL."""
        module = self.add("ZoetropeLoadMotionModule", motion_module=rng.choice(MODULES))
        for name in rng.sample(MOTION_LORAS, rng.choice((0, 0, 1, 2))):
            module = self.add(
                "ZoetropeLoadMotionLora", motion_module=module, lora_name=name, strength=rng.uniform(-1, 1)
            )
        kind = "ZoetropeApplyMotionModule"
        settings = {
            "strength": rng.choice((0.5, 1.0)),
            "group_norm": rng.choice(self.choices(kind, "group_norm")),
            **settings,
        }
        return self.add(kind, model=self.model, motion_module=module, **settings)

    def windows(self, rng: random.Random, model: list, **settings) -> list:
        """Adds context windows of any schedule, fusion and noise, and returns the MODEL."""
        kind = "ZoetropeApplyContextWindows"
        # AnimateDiff-Evolved's ways to fuse refuse some of the windows.
        fuses = [name for name in self.choices(kind, "fuse_method") if "AnimateDiff-Evolved" not in name]
        chosen = {
            "context_schedule": rng.choice(self.choices(kind, "context_schedule")),
            "fuse_method": rng.choice(fuses),
            "noise_type": rng.choice(self.choices(kind, "noise_type")),
        }
        wanted = {
            "context_length": 3,
            "context_overlap": 1,
            "windows_per_batch": rng.choice((0, 1, 2)),
            **chosen,
            **settings,
        }
        return self.add(kind, model=model, **wanted)

    def keep(self, latents: list) -> None:
        self.add("SaveLatent", samples=latents, filename_prefix="soak/latents")

    def images(self, latents: list) -> list:
        return self.add("VAEDecode", samples=latents, vae=self.vae)

    def taken(
        self, rng: random.Random, file: str = VIDEO, kind: str = "ZoetropeTakeFrames", **inputs
    ) -> list:
        """Adds a video file and a node that takes frames of it."""
        request = {
            "force_rate": rng.choice((0.0, 7.0)),
            "frame_cap": rng.choice(FRAMES),
            "skip_first_frames": rng.choice((0, 1, 2)),
        }
        return self.add(kind, video=self.add("LoadVideo", file=file), **request, **inputs)


Maker = Callable[[random.Random, Graph], "dict | None"]
KINDS: dict[str, Maker] = {}
"""name -> what makes its prompt, and returns how it ends where that is not success."""
WARM_UP: dict[str, Maker] = {}
"""What is run once more, beside one prompt of every kind, before anything is measured."""


def kind(make: Maker) -> Maker:
    KINDS[make.__name__] = make
    return make


def make_case(name: str, rng: random.Random, object_info: dict) -> Case:
    graph = Graph(object_info)
    ending = (KINDS | WARM_UP)[name](rng, graph) or {}
    return Case(name, dict(graph), **ending)


def plain_graph(object_info: dict) -> dict:
    """The checkpoint without anything of ours, always with the same numbers."""
    graph = Graph(object_info)
    graph.keep(graph.sample(random.Random("plain")))
    return dict(graph)


# ---------------------------------------------------------------------------------------------- what succeeds


@kind
def plain(rng, graph):
    graph.keep(graph.sample(rng, frames=rng.choice(FRAMES)))


@kind
def motion(rng, graph):
    graph.keep(graph.sample(rng, graph.moving(rng), rng.choice(FRAMES)))


@kind
def two_motion_modules(rng, graph):
    one = graph.moving(rng)
    other = graph.moving(rng)
    graph.keep(graph.sample(rng, one))
    graph.keep(graph.sample(rng, other))


@kind
def context_windows(rng, graph):
    graph.keep(graph.sample(rng, graph.windows(rng, graph.moving(rng)), rng.choice((5, 7, 11))))


@kind
def key_frames(rng, graph, weights=(0.0, 2.0)):
    """The first and the last frame given, with or without their guidance, in windows or without."""
    images = graph.add("EmptyImage", width=64, height=64, batch_size=2, color=rng.randrange(2**24))
    empty = graph.add("EmptyLatentImage", width=64, height=64, batch_size=5)
    latent = graph.add("ZoetropeFixFrames", latent=empty, key_frames=images, vae=graph.vae, frames="0,-1")
    model = graph.moving(rng)
    if rng.random() < 0.5:
        anchors = {"context_overlap": 1, "anchor_frames": rng.choice(("", "0"))}
        model = graph.windows(rng, model, context_schedule="standard_static", **anchors)
    model = graph.add("ZoetropeGuideByKnownFrames", model=model, weight=rng.choice(weights))
    graph.keep(graph.sample(rng, model, latent=latent))


@kind
def control(rng, graph):
    control = {"control_net": graph.add("ControlNetLoader", control_net_name=CONTROLNET), "vae": graph.vae}
    control["image"] = graph.add(
        "EmptyImage", width=64, height=64, batch_size=rng.choice((1, 3)), color=rng.randrange(2**24)
    )
    model = graph.windows(rng, graph.moving(rng)) if rng.random() < 0.5 else graph.moving(rng)
    graph.keep(graph.sample(rng, model, 5, control=control))


@kind
def preview(rng, graph):
    mode = rng.choice(graph.choices("ZoetropePreviewClip", "mode"))
    graph.keep(
        graph.sample(rng, graph.add("ZoetropePreviewClip", model=graph.moving(rng), mode=mode, size=64))
    )


@kind
def frames_to_file(rng, graph):
    images = graph.images(graph.sample(rng, graph.moving(rng), rng.choice(FRAMES)))
    format = rng.choice(graph.choices("ZoetropeSaveFrames", "format"))
    graph.add(
        "ZoetropeSaveFrames",
        images=images,
        filename_prefix="soak/frames",
        format=format,
        ping_pong=rng.random() < 0.5,
    )


@kind
def latents_to_file(rng, graph):
    samples = graph.sample(rng, graph.moving(rng), rng.choice(FRAMES))
    graph.add(
        "ZoetropeSaveLatents",
        samples=samples,
        vae=graph.vae,
        filename_prefix="soak/latents",
        chunk_frames=rng.choice((1, 2, 8)),
    )


@kind
def video_to_frames(rng, graph):
    images = graph.taken(rng)
    sheet = graph.add(
        "ZoetropeMakeContactSheet", frames=graph.add("ZoetropePingPongFrames", frames=images), cell_width=32
    )
    graph.add("SaveImage", images=sheet, filename_prefix="soak/sheet")
    graph.add(
        "ZoetropeSaveFrames",
        images=images,
        audio=[images[0], 2],
        filename_prefix="soak/again",
        fps=[images[0], 3],
    )


@kind
def video_to_video(rng, graph):
    latent = graph.taken(
        rng, kind="ZoetropeEncodeVideo", vae=graph.vae, width=64, height=64, resize="crop", chunk_frames=2
    )
    samples = graph.sample(rng, graph.moving(rng), latent=latent, denoise=0.5)
    graph.add(
        "ZoetropeSaveLatents",
        samples=samples,
        vae=graph.vae,
        filename_prefix="soak/video",
        fps=[latent[0], 2],
    )


# ------------------------------------------------------------------------------------------------- what fails


@kind
def refused_file(rng, graph):
    module = graph.add("ZoetropeLoadMotionModule", motion_module="nowhere.safetensors")
    graph.keep(
        graph.sample(rng, graph.add("ZoetropeApplyMotionModule", model=graph.model, motion_module=module))
    )
    return {"end": REFUSED, "words": "nowhere.safetensors"}


@kind
def damaged_module(rng, graph):
    module = graph.add("ZoetropeLoadMotionModule", motion_module=DAMAGED_MODULE)
    graph.keep(
        graph.sample(rng, graph.add("ZoetropeApplyMotionModule", model=graph.model, motion_module=module))
    )
    return {"end": ERROR, "words": DAMAGED_MODULE}


@kind
def damaged_video(rng, graph):
    graph.add("SaveImage", images=graph.taken(rng, DAMAGED_VIDEO), filename_prefix="soak/never")
    return {"end": ERROR}  # in core's node, which opens the file


@kind
def frames_that_do_not_fit(rng, graph):
    """Fails inside of the sampler, while the motion module acts."""
    if rng.random() < 0.5:
        graph.keep(graph.sample(rng, graph.moving(rng), TOO_MANY))
        return {"end": ERROR, "words": "Context Windows"}
    graph.keep(graph.sample(rng, graph.moving(rng, frames_per_video=2)))
    return {"end": ERROR, "words": "frames_per_video=2"}


@kind
def windows_that_do_not_fit(rng, graph):
    graph.keep(graph.sample(rng, graph.windows(rng, graph.moving(rng), context_overlap=3), 5))
    return {"end": ERROR, "words": "context_overlap=3"}


@kind
def file_that_cannot_be(rng, graph):
    """Fails after everything has been sampled."""
    images = graph.images(graph.sample(rng, graph.moving(rng)))
    graph.add("ZoetropeSaveFrames", images=images, filename_prefix="soak/never", format="GIF", crf=3.0)
    return {"end": ERROR, "words": "crf=3"}


@kind
def interrupted_sampling(rng, graph):
    model = graph.moving(rng)
    graph.keep(graph.sample(rng, graph.windows(rng, model) if rng.random() < 0.5 else model, 7, steps=1000))
    return {"end": INTERRUPTED, "seconds": rng.uniform(0, 1.5)}  # anywhere: while it loads or samples


@kind
def interrupted_writing(rng, graph):
    samples = graph.add("EmptyLatentImage", width=128, height=64, batch_size=500)
    graph.add(
        "ZoetropeSaveLatents", samples=samples, vae=graph.vae, filename_prefix="soak/never", loop_count=1000
    )
    return {"end": INTERRUPTED, "seconds": rng.uniform(0, 1.5)}


def every_format(rng, graph):
    images = graph.add("EmptyImage", width=64, height=64, batch_size=3, color=0x2060A0)
    for format in graph.choices("ZoetropeSaveFrames", "format"):
        graph.add("ZoetropeSaveFrames", images=images, filename_prefix="soak/formats", format=format)


def every_length(rng, graph):
    """As many frames as there can be, decoded: the largest pools."""
    for frames in FRAMES:
        images = graph.images(graph.sample(rng, graph.moving(rng), frames))
        graph.add("PreviewImage", images=images)


def gradients(rng, graph):
    """The backward pass, which loads 40 MiB of libraries once."""
    key_frames(rng, graph, weights=(2.0,))


WARM_UP |= {make.__name__: make for make in (every_format, every_length, gradients)}


# ------------------------------------------------------------------------------------------------ input files


def put_inputs(base: Path) -> None:
    """Writes the video, and the damaged files, to the folders of a server's base."""
    import av
    import numpy as np

    with av.open(str(base / "input" / VIDEO), "w") as container:
        video, sound = container.add_stream("libx264", rate=8), container.add_stream("aac", rate=16000)
        video.width, video.height, video.pix_fmt, sound.layout = WIDTH, HEIGHT, "yuv420p", "mono"
        for number in range(VIDEO_FRAMES):
            image = np.full((HEIGHT, WIDTH, 3), 20 * number, np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        tone = np.sin(np.arange(16000 * VIDEO_FRAMES // 8, dtype=np.float32) * 0.1)[None]
        frame = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
        frame.sample_rate = 16000
        container.mux(sound.encode(frame))
        container.mux([*video.encode(), *sound.encode()])
    (base / "input" / DAMAGED_VIDEO).write_bytes(b"\0\0\0\x18ftypmp42" + bytes(3000))
    module = (base / "models" / "animatediff_models" / MODULES[0]).read_bytes()
    (base / "models" / "animatediff_models" / DAMAGED_MODULE).write_bytes(module[: len(module) // 3])
