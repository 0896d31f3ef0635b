"""DDIM Inversion: a SAMPLER that walks noise levels upward."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.sampling.inversion import InversionSampler
from ...samplers.inversion import InversionSettings
from ..base import ZoetropeNode
from .inputs import step_inputs


class CreateInversionSampler(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeCreateInversionSampler",
            display_name="DDIM Inversion",
            category="Zoetrope/Inversion",
            description=(
                "A SAMPLER that goes from a video up to its noise, for SamplerCustomAdvanced with"
                " DisableNoise and FlipSigmas."
            ),
            search_aliases=["inverse sampler", "flip sigmas", "unsampler", "反演", "采样器"],
            inputs=step_inputs(),
            outputs=[
                io.Sampler.Output(
                    "SAMPLER", tooltip="Goes into SamplerCustomAdvanced, with a guider of cfg 1."
                )
            ],
        )

    @classmethod
    def execute(cls, **settings) -> io.NodeOutput:
        return io.NodeOutput(InversionSampler(InversionSettings(**settings)))
