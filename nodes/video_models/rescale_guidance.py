"""Rescale Guidance (video): less contrast at a high cfg."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.sampling import scaled_sampling
from ..base import ZoetropeNode


class RescaleGuidance(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeRescaleGuidance",
            display_name="Rescale Guidance (video)",
            category="Zoetrope/Video models",
            description=(
                "Takes back part of the contrast that a high cfg adds, measured over all frames together."
            ),
            search_aliases=[
                "guidance rescale",
                "rescale cfg",
                "RescaleCFG",
                "dynamicrafter",
                "overexposed",
                "zero terminal snr",
                "引导重缩放",
                "过曝",
            ],
            inputs=[
                io.Model.Input("model", tooltip="A video MODEL, for example DynamiCrafter."),
                io.Float.Input(
                    "rescale",
                    default=0.7,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip=(
                        "How much of the contrast is taken back, a factor: 0 = off, 0.7 = as published for"
                        " DynamiCrafter 512 and 1024."
                    ),
                ),
            ],
            outputs=[io.Model.Output("MODEL", tooltip="Goes into any sampler with cfg above 1.")],
        )

    @classmethod
    def execute(cls, model, rescale) -> io.NodeOutput:
        return io.NodeOutput(scaled_sampling.with_guidance_rescale(model, rescale))
