"""DDIM Sampler (exact): DDIM with eta for scaled noise schedules."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.sampling import scaled_sampling
from ..base import ZoetropeNode


class CreateDDIMSampler(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeCreateDDIMSampler",
            display_name="DDIM Sampler (exact)",
            category="Zoetrope/Video models",
            description=(
                "DDIM with eta as VideoCrafter and DynamiCrafter are sampled, exact for their scaled noise"
                " schedules."
            ),
            search_aliases=[
                "ddim",
                "eta",
                "videocrafter sampler",
                "dynamicrafter sampler",
                "ancestral",
                "samplercustom",
                "采样器",
            ],
            inputs=[
                io.Float.Input(
                    "eta",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip=(
                        "How much new noise every step adds, a factor: 1 = as published, 0 = none, the same"
                        " as ComfyUI's ddim."
                    ),
                ),
                io.Boolean.Input(
                    "reference_end",
                    default=True,
                    tooltip=(
                        "Whether the last step ends as in the published code, which leaves a trace of noise"
                        " and for DynamiCrafter 1 to 3 % less contrast; off = at the denoised latents, as"
                        " ComfyUI's samplers do."
                    ),
                ),
            ],
            outputs=[
                io.Sampler.Output(
                    "SAMPLER", tooltip="Goes into SamplerCustom, with the sigmas of DDIM Sigmas."
                )
            ],
        )

    @classmethod
    def execute(cls, eta, reference_end) -> io.NodeOutput:
        return io.NodeOutput(scaled_sampling.reference_ddim(eta, reference_end))
