"""Degrade Frames: a clip without its details."""

from __future__ import annotations

from comfy_api.latest import io

from ...frame_tools.degrading import DegradeSettings
from ...host.media.frame_tools import degrade
from ..base import ZoetropeNode


class DegradeFrames(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeDegradeFrames",
            display_name="Degrade Frames",
            category="Zoetrope/Frames",
            description="Takes details, frames and cleanness from a clip, so that a sampler may change it.",
            search_aliases=[
                "dreamix",
                "downsample",
                "pixelate",
                "blur video",
                "add noise",
                "low frame rate",
                "降质",
                "模糊",
                "加噪",
            ],
            inputs=[
                io.Image.Input("images", tooltip="The clip."),
                io.Float.Input(
                    "downscale",
                    default=4.0,
                    min=1.0,
                    max=64.0,
                    step=0.5,
                    tooltip="Frames are made so many times smaller and large again: 1 = as they are.",
                ),
                io.Int.Input(
                    "keep_every",
                    default=1,
                    min=1,
                    max=10000,
                    tooltip="Of so many frames the first is kept and held: 1 = all, 4 = a quarter of them.",
                ),
                io.Float.Input(
                    "noise",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="Standard deviation of the noise, where white is 1: 0 = none.",
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=0xFFFFFFFFFFFFFFFF,
                    control_after_generate=True,
                    tooltip="Of the noise.",
                ),
            ],
            outputs=[io.Image.Output("IMAGE", tooltip="The degraded clip, of the same size and length.")],
        )

    @classmethod
    def execute(cls, images, **settings) -> io.NodeOutput:
        return io.NodeOutput(degrade(images, DegradeSettings(**settings)))
