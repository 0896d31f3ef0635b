"""Set Frame Rate (temporal layers): the speed that the network is told."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.injection.frame_rate import FrameRate, set_frame_rate
from ..animatediff.inputs import MotionModule
from ..base import ZoetropeNode


class SetLayersFrameRate(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeSetLayersFrameRate",
            display_name="Set Frame Rate (temporal layers)",
            category="Zoetrope/Temporal layers",
            description=(
                "Tells a frame rate embedding for how many frames per second the video is made, as MagicVideo"
                " and Make-A-Video do."
            ),
            search_aliases=[
                "fps",
                "frame rate",
                "fps embedding",
                "frame rate conditioning",
                "magicvideo",
                "make-a-video",
                "motion speed",
                "帧率",
            ],
            inputs=[
                MotionModule.Input(
                    "motion_module",
                    tooltip="A frame rate embedding, from Load Motion Module or New Temporal Layers.",
                ),
                io.Float.Input(
                    "fps",
                    default=8.0,
                    min=0.01,
                    max=240.0,
                    step=0.01,
                    tooltip=(
                        "Frames per second, as the embedding was told in training; lower means larger steps"
                        " between frames."
                    ),
                ),
            ],
            outputs=[MotionModule.Output("MOTION_MODULE", tooltip="Goes into Apply Motion Module.")],
        )

    @classmethod
    def execute(cls, motion_module, fps) -> io.NodeOutput:
        return io.NodeOutput(set_frame_rate(motion_module, FrameRate(fps)))
