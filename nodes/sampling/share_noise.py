"""Shared Noise: start noise that the frames of a video have in common."""

from __future__ import annotations

from comfy_api.latest import io

from ...samplers.shared_noise import SharedNoise, SharedNoiseSettings
from ..base import ZoetropeNode
from .noise_inputs import share_inputs


class ShareNoise(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeShareNoise",
            display_name="Shared Noise",
            category="Zoetrope/Sampling",
            description="Start noise that all frames of a video share, wholly or in part.",
            search_aliases=[
                "same noise",
                "constant noise",
                "make-a-video",
                "pyoco",
                "mixed noise",
                "progressive noise",
                "correlated noise",
                "super resolution",
                "flicker",
                "共享噪声",
                "相同噪声",
            ],
            inputs=[
                io.Noise.Input("noise", tooltip="Any NOISE, such as RandomNoise or Reference Noise."),
                *share_inputs(),
            ],
            outputs=[io.Noise.Output("NOISE", tooltip="Goes into SamplerCustomAdvanced.")],
        )

    @classmethod
    def execute(cls, noise, **settings) -> io.NodeOutput:
        return io.NodeOutput(SharedNoise(noise, SharedNoiseSettings(**settings)))
