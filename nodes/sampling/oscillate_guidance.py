"""Oscillating Guidance: a high and a low cfg in turn."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.sampling.oscillating_guidance import oscillate_guidance
from ...samplers.oscillating_guidance import OscillationSettings
from ..base import ZoetropeNode


class OscillateGuidance(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeOscillateGuidance",
            display_name="Oscillating Guidance",
            category="Zoetrope/Sampling",
            description=(
                "Guides by the sampler's cfg and by a low one in turn, which follows the prompt closely with"
                " fewer burnt colours."
            ),
            search_aliases=[
                "imagen video",
                "cfg schedule",
                "custom cfg",
                "alternating cfg",
                "oversaturated",
                "burnt",
                "振荡引导",
                "过饱和",
            ],
            inputs=[
                io.Model.Input("model", tooltip="Any MODEL that is sampled with a cfg."),
                io.Float.Input(
                    "low_cfg",
                    default=1.0,
                    min=0.0,
                    max=100.0,
                    step=0.1,
                    tooltip=(
                        "The cfg of every other step; the high one is the sampler's. 1 as published (with 15"
                        " in the sampler), and such steps take half the time. Equal to the sampler's cfg = no"
                        " change."
                    ),
                ),
                io.Int.Input(
                    "high_steps",
                    default=5,
                    min=0,
                    max=10000,
                    tooltip=(
                        "Steps at the beginning that all have the sampler's cfg. 0 = none; as many as the"
                        " sampler has steps = no change."
                    ),
                ),
            ],
            outputs=[io.Model.Output("MODEL", tooltip="Goes into any sampler that has a cfg.")],
        )

    @classmethod
    def execute(cls, model, **settings) -> io.NodeOutput:
        return io.NodeOutput(oscillate_guidance(model, OscillationSettings(**settings)))
