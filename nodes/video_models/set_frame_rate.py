"""Set Frame Rate (VideoCrafter): the speed that the network is told."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.video_models import videocrafter_conditioning
from ..base import ZoetropeNode
from .inputs import prompt_outputs, prompts


class SetFrameRate(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeSetFrameRate",
            display_name="Set Frame Rate (VideoCrafter)",
            category="Zoetrope/Video models",
            description=(
                "Tells VideoCrafter's text-to-video networks for how many frames per second they make the"
                " video."
            ),
            search_aliases=[
                "videocrafter",
                "fps",
                "frame rate",
                "frame stride",
                "text to video",
                "motion speed",
                "帧率",
            ],
            inputs=[
                *prompts(),
                io.Float.Input(
                    "fps",
                    default=28.0,
                    min=0.01,
                    max=240.0,
                    step=0.01,
                    tooltip=(
                        "Frames per second that the network was told in training: 28 as published for"
                        " VideoCrafter2 and VideoCrafter1 1024; lower means larger steps between frames."
                    ),
                ),
            ],
            outputs=prompt_outputs(),
        )

    @classmethod
    def execute(cls, positive, negative, fps) -> io.NodeOutput:
        return io.NodeOutput(*videocrafter_conditioning.with_frame_rate(positive, negative, fps))
