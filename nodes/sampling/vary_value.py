"""Vary Value: a value that differs from frame to frame, from place to place and from step to step."""

from __future__ import annotations

from comfy_api.latest import io

from ...frame_values import frame_values
from ..animatediff.inputs import FrameValues
from ..base import ZoetropeNode
from .inputs import Floats


class VaryValue(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeVaryValue",
            display_name="Vary Value",
            category="Zoetrope/Sampling",
            description=(
                "Makes a value that differs from frame to frame, from place to place and from step to step,"
                " for strength or attention_scale of Apply Motion Module."
            ),
            search_aliases=[
                "multival",
                "multival dynamic",
                "scaled mask",
                "ADE",
                "animatediff keyframe",
                "effect",
                "scale multival",
                "strength per frame",
                "strength mask",
                "value over frames",
                "逐帧强度",
                "强度遮罩",
                "关键帧",
            ],
            is_input_list=True,
            inputs=_inputs(),
            outputs=[
                FrameValues.Output(
                    "VALUES", tooltip="Goes into strength or attention_scale of Apply Motion Module."
                )
            ],
        )

    @classmethod
    def execute(
        cls, value, outside, start_percent, mask=None, values=None, stretch_mask=(False,)
    ) -> io.NodeOutput:
        # ComfyUI hands a list for every input here, so that a list of numbers comes whole.
        numbers = [n for one in value for n in (one if isinstance(one, list | tuple) else [one])]
        mask, before = (None if one is None else one[0] for one in (mask, values))
        return io.NodeOutput(
            frame_values(numbers, mask, outside[0], start_percent[0], before, stretch_mask[0])
        )


def _inputs() -> list[io.Input]:
    return [
        io.MultiType.Input(
            io.Float.Input(
                "value",
                default=1.0,
                min=0.0,
                max=100.0,
                step=0.01,
                tooltip="The value, or a list with one for each frame from Values over Frames.",
            ),
            [Floats],
        ),
        io.Float.Input(
            "outside",
            default=0.0,
            min=0.0,
            max=100.0,
            step=0.01,
            tooltip="The value where the mask is 0; without a mask it is not used.",
        ),
        io.Float.Input(
            "start_percent",
            default=0.0,
            min=0.0,
            max=1.0,
            step=0.001,
            tooltip="From which part of the noise schedule on it holds: 0 = from the first step.",
        ),
        io.Mask.Input(
            "mask", optional=True, tooltip="Where the value holds: one mask, or one for each frame; any size."
        ),
        FrameValues.Input(
            "values", optional=True, tooltip="What holds before start_percent, from another Vary Value."
        ),
        io.Boolean.Input(
            "stretch_mask",
            default=False,
            optional=True,
            advanced=True,
            tooltip="Makes the darkest place of the mask 0 and the brightest 1 first. Off = as it is.",
        ),
    ]
