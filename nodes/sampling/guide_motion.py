"""Temporal Guidance: a video moves more than its layers over frames make it move."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.injection.temporal_guidance import guide_motion
from ..base import ZoetropeNode


class GuideMotion(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeGuideMotion",
            display_name="Temporal Guidance",
            category="Zoetrope/Sampling",
            description=(
                "Leads a video further away from what it would be without its layers over frames: steadier"
                " and with more motion."
            ),
            search_aliases=[
                "motion cfg",
                "motion guidance",
                "unconditional guidance scale temporal",
                "temporal consistency",
                "more motion",
                "时间引导",
                "运动引导",
            ],
            inputs=[
                io.Model.Input("model", tooltip="A MODEL behind Apply Motion Module."),
                io.Float.Input(
                    "scale",
                    default=1.0,
                    min=-20.0,
                    max=20.0,
                    step=0.1,
                    tooltip=(
                        "How far: what the layers over frames add with the prompt comes on top so many times."
                        " 0 = none; below 0 there is less motion."
                    ),
                ),
            ],
            outputs=[io.Model.Output("MODEL", tooltip="Goes into any sampler.")],
        )

    @classmethod
    def execute(cls, model, scale) -> io.NodeOutput:
        return io.NodeOutput(guide_motion(model, scale))
