"""Noise per Frame: start noise with a seed for every frame."""

from __future__ import annotations

from comfy_api.latest import io

from ...samplers.frame_noise import FRAME_SEEDS, SEED_PER_FRAME, FrameNoise, FrameNoiseSettings
from ..base import ZoetropeNode

LARGEST_SEED = 0xFFFFFFFFFFFFFFFF


class MakeFrameNoise(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeMakeFrameNoise",
            display_name="Noise per Frame",
            category="Zoetrope/Sampling",
            description=(
                "Start noise with a seed of its own for every frame, or from further on in a seed's noise."
            ),
            search_aliases=[
                "seed per frame",
                "auto1111 seed",
                "seed_gen",
                "batch_offset",
                "seed_offset",
                "random noise",
                "sample settings",
                "animatediff evolved",
                "逐帧噪声",
                "逐帧种子",
            ],
            inputs=[
                io.Int.Input(
                    "noise_seed",
                    default=0,
                    min=0,
                    max=LARGEST_SEED,
                    control_after_generate=True,
                    tooltip="Seed of the run; that of the first frame where each has its own.",
                ),
                io.Combo.Input(
                    "seeds",
                    options=list(FRAME_SEEDS),
                    default=SEED_PER_FRAME,
                    tooltip=(
                        "one for each frame: frame k has the noise of noise_seed + k (auto1111). one for all"
                        " frames: as RandomNoise."
                    ),
                ),
                io.Int.Input(
                    "batch_offset",
                    default=0,
                    min=0,
                    max=4096,
                    tooltip=(
                        "Frames to leave out in front: the first frame gets the noise of the frame with this"
                        " number. 0 = none."
                    ),
                ),
                io.Int.Input(
                    "seed_offset",
                    default=0,
                    min=-(2**31),
                    max=2**31,
                    tooltip=(
                        "Is added to noise_seed, for samplers that share a seed but not their noise."
                        " 0 = none."
                    ),
                ),
            ],
            outputs=[
                io.Noise.Output("NOISE", tooltip="Goes into SamplerCustomAdvanced in place of RandomNoise.")
            ],
        )

    @classmethod
    def execute(cls, **settings) -> io.NodeOutput:
        return io.NodeOutput(FrameNoise(FrameNoiseSettings(**settings)))
