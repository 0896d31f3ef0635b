"""Reconstruction Guidance: what is made agrees better with what is known."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.sampling.reconstruction_guidance import guide_by_known_frames
from ...samplers.reconstruction_guidance import ReconstructionSettings
from ..base import ZoetropeNode


class GuideByKnownFrames(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeGuideByKnownFrames",
            display_name="Reconstruction Guidance",
            category="Zoetrope/Sampling",
            description=(
                "Makes new frames agree with the known ones: those of Fix Frames, of Extend Video, or outside"
                " of a noise mask."
            ),
            search_aliases=[
                "video diffusion models",
                "vdm",
                "reconstruction guided sampling",
                "imputation",
                "first and last frame",
                "extend video",
                "frame interpolation",
                "inpainting guidance",
                "重建引导",
                "首尾帧",
                "补帧",
            ],
            inputs=[
                io.Model.Input("model", tooltip="Any MODEL, from Apply Motion Module or Context Windows."),
                io.Float.Input(
                    "weight",
                    default=2.0,
                    min=0.0,
                    max=100.0,
                    step=0.1,
                    tooltip=(
                        "How strongly: 0 = not at all. The paper names numbers above 1; too large ones spoil"
                        " the frames."
                    ),
                ),
                io.Float.Input(
                    "start_percent",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.001,
                    advanced=True,
                    tooltip="From which part of the noise schedule on; 0 = from the first step.",
                ),
                io.Float.Input(
                    "end_percent",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.001,
                    advanced=True,
                    tooltip=(
                        "Up to which part of the noise schedule; 1 = to the end. Steps without the guidance"
                        " take a third of the time."
                    ),
                ),
            ],
            outputs=[
                io.Model.Output("MODEL", tooltip="Goes into any sampler, whose latents have known frames.")
            ],
        )

    @classmethod
    def execute(cls, model, **settings) -> io.NodeOutput:
        return io.NodeOutput(guide_by_known_frames(model, ReconstructionSettings(**settings)))
