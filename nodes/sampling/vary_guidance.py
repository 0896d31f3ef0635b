"""Vary Guidance: a cfg of its own for every step, frame and place."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.sampling.varying_guidance import VaryingGuidance, vary_guidance
from ..animatediff.inputs import FrameValues
from ..base import ZoetropeNode
from ..videos_in_batch import frames_per_video


class VaryGuidance(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeVaryGuidance",
            display_name="Vary Guidance",
            category="Zoetrope/Sampling",
            description=(
                "Guides by a cfg of its own, which may differ from step to step, from frame to frame and from"
                " place to place, in place of the sampler's."
            ),
            search_aliases=[
                "custom cfg",
                "ADE",
                "custom cfg keyframe",
                "cfg multival",
                "cfg schedule",
                "cfg per step",
                "cfg per frame",
                "cfg mask",
                "regional cfg",
                "引导计划",
                "自定义cfg",
            ],
            inputs=[
                io.Model.Input("model", tooltip="Any MODEL that is sampled with a cfg."),
                io.MultiType.Input(
                    io.Float.Input(
                        "cfg",
                        default=8.0,
                        min=0.0,
                        max=100.0,
                        step=0.1,
                        tooltip=(
                            "The cfg in place of the sampler's, a number or values from Vary Value. Steps"
                            " that are 1 everywhere leave out the negative prompt and take half the time."
                        ),
                    ),
                    [FrameValues],
                ),
                frames_per_video(
                    "Frames of one video when the latent batch holds several videos one after another; 0"
                    " = the whole batch is one video, or what Context Windows says."
                ),
            ],
            outputs=[io.Model.Output("MODEL", tooltip="Goes into any sampler that has a cfg.")],
        )

    @classmethod
    def execute(cls, model, **settings) -> io.NodeOutput:
        return io.NodeOutput(vary_guidance(model, VaryingGuidance(**settings)))
