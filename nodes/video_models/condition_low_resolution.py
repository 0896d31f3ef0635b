"""Condition On Low Resolution (Show-1): conditioning for the first super-resolution network."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.video_models.show1 import condition_on_low_resolution
from ..base import ZoetropeNode
from .inputs import conditioning_outputs


class ConditionLowResolution(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeConditionLowResolution",
            display_name="Condition On Low Resolution (Show-1)",
            category="Zoetrope/Video models",
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
            outputs=conditioning_outputs("Empty, four times as large as the video; for the sampler."),
        )

    @classmethod
    def execute(cls, positive, negative, vae, images, noise_level, first_frame=None) -> io.NodeOutput:
        return io.NodeOutput(
            *condition_on_low_resolution(positive, negative, vae, images, first_frame, noise_level)
        )
