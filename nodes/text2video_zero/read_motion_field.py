"""Motion Field from Video: the movement of a clip, for another one."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.media.frame_tools import motion_field
from ..base import ZoetropeNode
from ..frames.inputs import OpticalFlow
from .inputs import MotionField


class ReadMotionField(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeReadMotionField",
            display_name="Motion Field from Video",
            category="Zoetrope/Text2Video-Zero",
            description="Finds how everything in a video moves, so that another one can move alike.",
            search_aliases=[
                "motion field",
                "optical flow",
                "motion transfer",
                "raft",
                "text2video-zero",
                "运动场",
                "光流",
                "运动迁移",
            ],
            inputs=[
                io.Image.Input(
                    "images", tooltip="The frames, at least 2, and as many as the new video has or more."
                ),
                io.Float.Input(
                    "amount",
                    default=1.0,
                    min=-10.0,
                    max=10.0,
                    step=0.05,
                    tooltip="A factor of all movement: 1 = as in the video, 0 = none, below 0 the other way.",
                ),
                OpticalFlow.Input(
                    "optical_flow",
                    optional=True,
                    tooltip=(
                        "RAFT from Load Optical Flow Model, which is more exact. Without it the movement is"
                        " found without a network."
                    ),
                ),
            ],
            outputs=[
                MotionField.Output(
                    "MOTION_FIELD", tooltip="Goes into Prepare Text2Video-Zero and Smooth Background."
                )
            ],
        )

    @classmethod
    def execute(cls, images, amount, optical_flow=None) -> io.NodeOutput:
        return io.NodeOutput(motion_field(images, amount, optical_flow))
