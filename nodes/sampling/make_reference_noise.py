"""Reference Noise: start noise as the published code draws it."""

from __future__ import annotations

from comfy_api.latest import io

from ...samplers.noise import ReferenceNoise
from ..base import ZoetropeNode


class MakeReferenceNoise(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeMakeReferenceNoise",
            display_name="Reference Noise",
            category="Zoetrope/Sampling",
            description="Start noise in the order in which the published code of video networks draws it.",
            search_aliases=["random noise", "noise", "seed", "reproduce", "reference seed", "噪声", "种子"],
            inputs=[
                io.Int.Input(
                    "noise_seed",
                    default=0,
                    min=0,
                    max=0xFFFFFFFFFFFFFFFF,
                    control_after_generate=True,
                    tooltip=(
                        "Seed of the noise; the same seed as in the published code's run on the CPU gives the"
                        " same noise."
                    ),
                )
            ],
            outputs=[
                io.Noise.Output("NOISE", tooltip="Goes into SamplerCustomAdvanced in place of RandomNoise.")
            ],
        )

    @classmethod
    def execute(cls, noise_seed: int) -> io.NodeOutput:
        return io.NodeOutput(ReferenceNoise(noise_seed))
