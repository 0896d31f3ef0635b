"""Values of Storyboard: how strong a motion module with one camera is, over frames."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.stories.cameras import storyboard_values
from ...motion_modules.camera.moves import MOVES
from ..animatediff.inputs import FrameValues
from ..base import ZoetropeNode
from .inputs import storyboard


class StoryboardValues(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeStoryboardValues",
            display_name="Values of Storyboard",
            category="Zoetrope/Stories",
            description="The strength of a motion module that has one camera move, in its scenes only.",
            search_aliases=["motion lora", "camera strength", "multival", "story", "镜头强度", "分镜"],
            inputs=[
                storyboard("From Storyboard."),
                io.Combo.Input(
                    "camera",
                    options=list(MOVES),
                    tooltip="The move that the module has by its MotionLoRA; hold = scenes without a move.",
                ),
                io.Float.Input(
                    "strength",
                    default=1.0,
                    min=0.0,
                    max=10.0,
                    step=0.01,
                    tooltip="A factor: 1 = as the script says, 0 = off.",
                ),
            ],
            outputs=[
                FrameValues.Output(
                    "FRAME_VALUES", tooltip="For strength of Apply Motion Module; 0 in other scenes."
                )
            ],
        )

    @classmethod
    def execute(cls, storyboard, camera, strength) -> io.NodeOutput:
        return io.NodeOutput(storyboard_values(storyboard, camera, strength))
