"""Values over Frames: a number for every frame."""

from __future__ import annotations

from comfy_api.latest import io, ui

from ...frame_tools.plots import plot_values
from ...samplers.over_frames.values import VALUE_CURVES, ValueSettings, schedule_values
from ..base import ZoetropeNode
from .inputs import Floats, loop, num_frames, read_as


class ScheduleValues(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeScheduleValues",
            display_name="Values over Frames",
            category="Zoetrope/Sampling",
            description="Makes a number for every frame of a video from key frames and expressions.",
            search_aliases=[
                "value schedule",
                "valueschedule",
                "batchvalueschedule",
                "value scheduling",
                "deforum",
                "fizznodes",
                "ADE",
                "curve",
                "floats",
                "keyframe",
                "数值调度",
                "关键帧",
                "曲线",
            ],
            inputs=[
                io.String.Input(
                    "text",
                    default="0: (0),\n15: (1)",
                    multiline=True,
                    tooltip=(
                        "Frame numbers from 0 on and numbers. An expression with t, the frame, is in force up"
                        " to the next frame number: 0: (0.5+0.5*sin(2*pi*t/max_f))."
                    ),
                ),
                num_frames("Frames of the video: so many numbers."),
                io.Combo.Input(
                    "curve",
                    options=VALUE_CURVES,
                    tooltip=(
                        "How a number goes over into the next: linear = evenly, ease = slow at both ends,"
                        " hold = not before its frame."
                    ),
                ),
                loop("The last number goes over into the first at the end of the video."),
                read_as("FizzNodes = max_f is the last frame, and keys behind it are left out."),
                io.Int.Input(
                    "frame",
                    default=0,
                    min=0,
                    max=65535,
                    tooltip="The frame whose number is put out alone; 0 = the first.",
                ),
            ],
            outputs=[
                Floats.Output("FLOATS", tooltip="All numbers, one for each frame."),
                io.Float.Output("FLOAT", tooltip="The number of one frame."),
                io.Image.Output("IMAGE", tooltip="The numbers as a curve."),
            ],
        )

    @classmethod
    def execute(cls, frame: int, **settings) -> io.NodeOutput:
        values = schedule_values(ValueSettings(**settings))
        if frame >= len(values):
            raise ValueError(f"frame={frame} must be at most {len(values) - 1}, the last frame; lower it.")
        drawing = plot_values([values], ["value"], 768, 320, "Value of each frame")
        return io.NodeOutput(values, values[frame], drawing, ui=ui.PreviewImage(drawing, cls=cls))
