"""Adjust Weights: weights of a motion module times a factor, plus a number."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.injection.weight_changes import ALL, GROUPS, WeightChange, adjust_weights
from ..base import ZoetropeNode
from .inputs import MotionModule


class AdjustWeights(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeAdjustWeights",
            display_name="Adjust Weights",
            category="Zoetrope/AnimateDiff",
            description=(
                "Multiplies a group of a motion module's weights and adds a number to them; chain several for"
                " several groups."
            ),
            search_aliases=[
                "adjust weight",
                "weight adjust",
                "ad settings",
                "animatediff settings",
                "motion model settings",
                "ADE",
                "attention strength",
                "权重调整",
                "运动模块设置",
            ],
            inputs=[
                MotionModule.Input("motion_module", tooltip="From Load Motion Module or Load MotionLoRA."),
                io.Combo.Input(
                    "group",
                    options=GROUPS,
                    default=ALL,
                    tooltip=(
                        "Which weights: all; position table; attention, or its queries q, keys k, values v,"
                        " its output's weight or bias; other = all besides attention and table."
                    ),
                ),
                io.Float.Input(
                    "multiply",
                    default=1.0,
                    min=-10.0,
                    max=10.0,
                    step=0.001,
                    tooltip="The factor of each weight: 1 = as it is.",
                ),
                io.Float.Input(
                    "add",
                    default=0.0,
                    min=-2.0,
                    max=2.0,
                    step=0.000001,
                    tooltip="What is added to each weight behind that: 0 = none. 0.001 is much already.",
                ),
            ],
            outputs=[MotionModule.Output("MOTION_MODULE", tooltip="Goes into Apply Motion Module.")],
        )

    @classmethod
    def execute(cls, motion_module, **settings) -> io.NodeOutput:
        return io.NodeOutput(adjust_weights(motion_module, WeightChange(**settings)))
