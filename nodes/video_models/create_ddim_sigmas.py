"""DDIM Sigmas: the noise levels of the published code."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.sampling import scaled_sampling
from ...samplers.scaled_schedule import DDIM_SPACINGS
from ..base import ZoetropeNode


class CreateDDIMSigmas(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeCreateDDIMSigmas",
            display_name="DDIM Sigmas",
            category="Zoetrope/Video models",
            description=(
                "The noise levels at which VideoCrafter and DynamiCrafter are sampled in the published code."
            ),
            search_aliases=[
                "ddim timesteps",
                "uniform_trailing",
                "trailing",
                "timestep spacing",
                "scheduler",
                "sigmas",
                "调度器",
            ],
            inputs=[
                io.Model.Input(
                    "model", tooltip="The MODEL that will be sampled; its noise schedule decides."
                ),
                io.Combo.Input(
                    "spacing",
                    options=list(DDIM_SPACINGS),
                    default="uniform",
                    tooltip=(
                        "uniform = VideoCrafter and DynamiCrafter 256; uniform_trailing = DynamiCrafter 512"
                        " and 1024, which must begin at the very last timestep."
                    ),
                ),
                io.Int.Input(
                    "steps", default=50, min=1, max=1000, tooltip="Sampling steps; 50 as published."
                ),
                io.Float.Input(
                    "denoise",
                    default=1.0,
                    min=0.01,
                    max=1.0,
                    step=0.01,
                    advanced=True,
                    tooltip=(
                        "Part of the noise schedule that is run: 1 = all of it, 0.6 = the last 60 % for"
                        " latents of an existing video."
                    ),
                ),
            ],
            outputs=[io.Sigmas.Output("SIGMAS", tooltip="Goes into SamplerCustom, with DDIM Sampler.")],
        )

    @classmethod
    def execute(cls, model, spacing, steps, denoise) -> io.NodeOutput:
        return io.NodeOutput(scaled_sampling.ddim_sigmas(model, spacing, steps, denoise))
