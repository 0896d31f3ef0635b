"""Draw Optical Flow: movement as colours."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.media.frame_tools import optical_flow_image
from ..base import ZoetropeNode
from .inputs import OpticalFlow


class DrawOpticalFlow(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeDrawOpticalFlow",
            display_name="Draw Optical Flow",
            category="Zoetrope/Frames",
            description="Shows in colours where everything moves from each frame to the next, and how far.",
            search_aliases=[
                "optical flow",
                "motion vectors",
                "raft",
                "lucas kanade",
                "farneback",
                "movement",
                "flow visualization",
                "光流",
                "运动矢量",
            ],
            inputs=[
                io.Image.Input("images", tooltip="The frames, at least 2."),
                io.Float.Input(
                    "full_colour",
                    display_name="full_colour (0 = auto)",
                    default=0.0,
                    min=0.0,
                    max=10000.0,
                    step=0.1,
                    tooltip=(
                        "Movement in pixels a frame that is drawn in full colour: 0 = what 99 of 100 pixels"
                        " stay below. Set it to compare clips."
                    ),
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
                io.Image.Output(
                    "IMAGE",
                    tooltip=(
                        "A picture for each step, one less than frames. White = still; the colour says"
                        " where to."
                    ),
                ),
                io.String.Output("STRING", tooltip="Mean movement, and what full colour stands for."),
            ],
        )

    @classmethod
    def execute(cls, images, full_colour, optical_flow=None) -> io.NodeOutput:
        return io.NodeOutput(*optical_flow_image(images, full_colour, optical_flow))
