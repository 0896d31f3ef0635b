"""Shared Upscale Noise: the noise on an upscaler's low-resolution frames, the same in all of them."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.sampling.upscale_noise import share_upscale_noise
from ...samplers.shared_noise import SharedNoiseSettings
from ..base import ZoetropeNode
from .noise_inputs import share_inputs


class ShareUpscaleNoise(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeShareUpscaleNoise",
            display_name="Shared Upscale Noise",
            category="Zoetrope/Sampling",
            description=(
                "Lets all frames share the noise that the SD x4 upscaler puts on its low-resolution image."
            ),
            search_aliases=[
                "sd x4 upscaler",
                "noise_augmentation",
                "noise conditioning augmentation",
                "imagen video",
                "upscale video",
                "flicker",
                "放大噪声",
                "视频放大",
            ],
            inputs=[
                io.Model.Input("model", tooltip="The SD x4 upscaler, from Load Checkpoint."),
                *share_inputs(),
            ],
            outputs=[
                io.Model.Output("MODEL", tooltip="Goes into any sampler, with SD_4XUpscale_Conditioning.")
            ],
        )

    @classmethod
    def execute(cls, model, **settings) -> io.NodeOutput:
        return io.NodeOutput(share_upscale_noise(model, SharedNoiseSettings(**settings)))
