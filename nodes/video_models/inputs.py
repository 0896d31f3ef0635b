"""Inputs and outputs that several nodes of this folder have."""

from __future__ import annotations

from comfy_api.latest import io

MAX_SEED = 0xFFFFFFFFFFFFFFFF


def prompts() -> list[io.Input]:
    """The prompts of VideoCrafter and DynamiCrafter."""
    return [
        io.Conditioning.Input(
            "positive", tooltip="What the video shows, from CLIP Text Encode with OpenCLIP ViT-H."
        ),
        io.Conditioning.Input(
            "negative", tooltip="What it does not show, from CLIP Text Encode; an empty prompt as published."
        ),
    ]


def encoders() -> list[io.Input]:
    """What encodes the images of image to video."""
    return [
        io.ClipVision.Input(
            "clip_vision", tooltip="CLIP ViT-H: the CLIP_VISION of Load Video Model or CLIP-ViT-H-14."
        ),
        io.Vae.Input("vae", tooltip="The VAE of Load Video Model, or of an SD1.x or SD2.x checkpoint."),
    ]


def start_image() -> io.Image.Input:
    return io.Image.Input(
        "start_image", tooltip="The first frame; its middle is cut out and resized to width x height."
    )


def end_image() -> io.Image.Input:
    return io.Image.Input(
        "end_image", tooltip="The last frame, of the same scene; cut out and resized in the same way."
    )


def video_size(width: int, height: int, multiple: int, most: int) -> list[io.Input]:
    """Width and height with their defaults, in pixels."""
    return [
        io.Int.Input(
            name,
            default=default,
            min=16,
            max=most,
            step=multiple,
            tooltip=f"{name.capitalize()} of the video in pixels, a multiple of {multiple}.",
        )
        for name, default in (("width", width), ("height", height))
    ]


def num_frames(default: int, tooltip: str) -> io.Int.Input:
    """How many frames the video gets."""
    return io.Int.Input("num_frames", default=default, min=1, max=4096, tooltip=tooltip)


def crafter_video(fps: float, fps_tooltip: str) -> list[io.Input]:
    """Size, length and speed of a video of DynamiCrafter or VideoCrafter."""
    return [
        *video_size(512, 320, multiple=16, most=4096),
        num_frames(
            16, "Frames of the video; DynamiCrafter makes exactly 16 at a time, more need Context Windows."
        ),
        io.Float.Input("fps", default=fps, min=0.01, max=240.0, step=0.01, tooltip=fps_tooltip),
    ]


def svd_video(width: int, height: int, frames: int, frames_tooltip: str) -> list[io.Input]:
    """Size and length of a video of Stable Video Diffusion or SV3D."""
    return [*video_size(width, height, multiple=8, most=8192), num_frames(frames, frames_tooltip)]


def svd_motion() -> list[io.Input]:
    """What Stable Video Diffusion is told of the movement."""
    return [
        io.Int.Input(
            "motion_bucket_id",
            default=127,
            min=0,
            max=1023,
            tooltip=(
                "How much moves, on the scale that the network was trained with: 1 to 255, 127 as published,"
                " higher = more."
            ),
        ),
        io.Int.Input(
            "fps",
            default=6,
            min=1,
            max=240,
            tooltip=(
                "Frames per second that the network is told: 6 as published, 5 to 30 trained; lower = larger"
                " steps between frames."
            ),
        ),
    ]


def svd_noise() -> list[io.Input]:
    """The noise on the images of Stable Video Diffusion."""
    return [
        io.Float.Input(
            "augmentation",
            default=0.02,
            min=0.0,
            max=10.0,
            step=0.01,
            tooltip=(
                "Noise added to the image, in standard deviations of its range -1..1: 0.02 as published, 0 ="
                " none, more = further from the image."
            ),
        ),
        seed("Seed of the noise that is added to the image."),
    ]


def seed(tooltip: str) -> io.Int.Input:
    return io.Int.Input("seed", default=0, min=0, max=MAX_SEED, control_after_generate=True, tooltip=tooltip)


def prompt_outputs() -> list[io.Output]:
    """Both prompts with what the network is told besides."""
    return [
        io.Conditioning.Output(
            "positive", display_name="positive", tooltip="Goes into the sampler's positive input."
        ),
        io.Conditioning.Output(
            "negative", display_name="negative", tooltip="Goes into the sampler's negative input."
        ),
    ]


def conditioning_outputs(latent_tooltip: str = "Empty frames of this size.") -> list[io.Output]:
    """What goes into a sampler: both prompts and the empty latents."""
    return [*prompt_outputs(), io.Latent.Output("latent", display_name="latent", tooltip=latent_tooltip)]
