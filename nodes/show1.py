"""Nodes for the stages of Show-1's cascade that work on pixels."""

from __future__ import annotations

from comfy_api.latest import io

from ..host.sampling.sample_in_turns import SamplerInTurns
from ..host.video_models.show1 import condition_on_low_resolution
from ..host.video_models.show1_text import encode_text
from .base import ZoetropeNode

CATEGORY = "Zoetrope/Video models"


class EncodeShow1Text(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeEncodeShow1Text",
            display_name="Encode Text (Show-1)",
            category=CATEGORY,
            description=(
                "Encodes a prompt as Show-1's pixel networks were trained with it: 77 states of T5-XXL in"
                " lower case."
            ),
            search_aliases=[
                "t5",
                "t5xxl",
                "show-1 prompt",
                "deepfloyd",
                "clip text encode",
                "prompt",
                "提示词",
                "文本编码",
            ],
            inputs=[
                io.Clip.Input(
                    "clip",
                    tooltip="A T5-XXL, for example t5xxl_fp16.safetensors, from Load CLIP with type mochi.",
                ),
                io.String.Input(
                    "text",
                    multiline=True,
                    dynamic_prompts=True,
                    default="",
                    tooltip=(
                        "The prompt; what goes beyond 77 tokens is cut off, an empty one is the published"
                        " negative prompt."
                    ),
                ),
            ],
            outputs=[
                io.Conditioning.Output(
                    "CONDITIONING", tooltip="Goes into the sampler or into the next Show-1 node."
                )
            ],
        )

    @classmethod
    def execute(cls, clip, text) -> io.NodeOutput:
        return io.NodeOutput(encode_text(clip, text))


class ConditionLowResolution(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeConditionLowResolution",
            display_name="Condition On Low Resolution (Show-1)",
            category=CATEGORY,
            description=(
                "Gives a small video to Show-1's first super-resolution network, which makes it four times as"
                " wide and high."
            ),
            search_aliases=[
                "show-1 sr1",
                "super resolution",
                "upscale video",
                "deepfloyd if-ii",
                "x4",
                "upscale",
                "放大",
                "视频放大",
                "超分辨率",
            ],
            inputs=[
                io.Conditioning.Input("positive", tooltip="What the video shows, from Encode Text (Show-1)."),
                io.Conditioning.Input(
                    "negative", tooltip="What it does not show, from Encode Text (Show-1)."
                ),
                io.Vae.Input("vae", tooltip="Load VAE with pixel_space."),
                io.Image.Input(
                    "images",
                    tooltip=(
                        "The small video; 64 x 40 pixels as published, a multiple of 4 in width and height."
                    ),
                ),
                io.Int.Input(
                    "noise_level",
                    default=250,
                    min=0,
                    max=999,
                    advanced=True,
                    tooltip=(
                        "Noise on the small video, in timesteps: 0 = none, 250 as published, more = freer in"
                        " detail."
                    ),
                ),
                io.Image.Input(
                    "first_frame",
                    optional=True,
                    tooltip=(
                        "The first frame in high resolution, from any image upscaler; without one it is"
                        " enlarged by bicubic interpolation, which is softer."
                    ),
                ),
            ],
            outputs=[
                io.Conditioning.Output(
                    "positive", display_name="positive", tooltip="Goes into the sampler's positive input."
                ),
                io.Conditioning.Output(
                    "negative", display_name="negative", tooltip="Goes into the sampler's negative input."
                ),
                io.Latent.Output(
                    "latent",
                    display_name="latent",
                    tooltip="Empty, four times as large as the video; for the sampler.",
                ),
            ],
        )

    @classmethod
    def execute(cls, positive, negative, vae, images, noise_level, first_frame=None) -> io.NodeOutput:
        return io.NodeOutput(
            *condition_on_low_resolution(positive, negative, vae, images, first_frame, noise_level)
        )


class SampleInTurns(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeSampleInTurns",
            display_name="Sample In Turns",
            category=CATEGORY,
            description=(
                "Lets a sampler work through a video window by window, each continuing from the last frame of"
                " the one before."
            ),
            search_aliases=[
                "show-1 sr1",
                "windows",
                "autoregressive",
                "continue video",
                "long video",
                "extend video",
                "长视频",
                "延长视频",
            ],
            inputs=[
                io.Sampler.Input(
                    "sampler", tooltip="The SAMPLER that is run on every window, from KSamplerSelect."
                ),
                io.Int.Input(
                    "length",
                    default=8,
                    min=2,
                    max=4096,
                    tooltip="Frames of a window; Show-1's network was trained with 8.",
                ),
                io.Int.Input(
                    "overlap",
                    default=1,
                    min=1,
                    max=4095,
                    advanced=True,
                    tooltip="Frames that a window shares with the one before, at least 1; 1 as published.",
                ),
            ],
            outputs=[
                io.Sampler.Output(
                    "SAMPLER",
                    tooltip="Goes into SamplerCustom, with Show-1's super-resolution 1 as the model.",
                )
            ],
        )

    @classmethod
    def execute(cls, sampler, length, overlap) -> io.NodeOutput:
        return io.NodeOutput(SamplerInTurns(sampler, length, overlap))


NODES = [EncodeShow1Text, ConditionLowResolution, SampleInTurns]
