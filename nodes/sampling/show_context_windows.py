"""Show Context Windows: the plan of the windows, drawn."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.windows import window_plan
from ..base import ZoetropeNode


class ShowContextWindows(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeShowContextWindows",
            display_name="Show Context Windows",
            category="Zoetrope/Sampling",
            description=(
                "Draws which frames are computed together at each step: a column for each frame, a row for"
                " each window."
            ),
            search_aliases=[
                "visualize context options",
                "window plan",
                "context schedule",
                "ADE",
                "上下文",
                "窗口",
            ],
            inputs=[
                io.Model.Input("model", tooltip="A MODEL from Context Windows."),
                io.Int.Input(
                    "num_frames",
                    default=32,
                    min=1,
                    max=4096,
                    tooltip="Frames of the video (frames of latents).",
                ),
                io.Int.Input(
                    "steps",
                    default=4,
                    min=1,
                    max=100,
                    tooltip=(
                        "Sampling steps to draw, from the first on; 1 is enough for standard_static and"
                        " batched."
                    ),
                ),
            ],
            outputs=[
                io.Image.Output(
                    "IMAGE",
                    tooltip="Bright where a window decides the frame, dark where it does not have it.",
                ),
                io.String.Output("STRING", tooltip="Number of windows and cost in words."),
            ],
        )

    @classmethod
    def execute(cls, model, num_frames: int, steps: int) -> io.NodeOutput:
        return io.NodeOutput(*window_plan(model, num_frames, steps))
