"""Sample In Turns: a sampler run window after window."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.sampling.sample_in_turns import SamplerInTurns
from ..base import ZoetropeNode


class SampleInTurns(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeSampleInTurns",
            display_name="Sample In Turns",
            category="Zoetrope/Video models",
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
