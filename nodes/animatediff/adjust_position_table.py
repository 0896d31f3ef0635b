"""Adjust Position Table: what tells a motion module which frame is which, stretched or cut."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.injection.positions import adjust_positions, draw_positions
from ...motion_modules.positions import PositionChange
from ..base import ZoetropeNode
from .inputs import MotionModule

_ROWS = {"default": 0, "min": 0, "max": 4096}


class AdjustPositionTable(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeAdjustPositionTable",
            display_name="Adjust Position Table",
            category="Zoetrope/AnimateDiff",
            description=(
                "Stretches, cuts or moves the table that tells a motion module which frame is which: for"
                " slower motion, and for more frames in one window."
            ),
            search_aliases=[
                "adjust pe",
                "pe sweetspot stretch",
                "pe full stretch",
                "positional encoding",
                "position table",
                "ad settings",
                "animatediff settings",
                "ADE",
                "slow motion",
                "位置编码",
                "位置表",
                "慢动作",
            ],
            inputs=_inputs(),
            outputs=[
                MotionModule.Output("MOTION_MODULE", tooltip="Goes into Apply Motion Module."),
                io.Image.Output("IMAGE", tooltip="Two channels of the table before and after, drawn."),
            ],
        )

    @classmethod
    def execute(cls, motion_module, **settings) -> io.NodeOutput:
        adjusted = adjust_positions(motion_module, PositionChange(**settings))
        return io.NodeOutput(adjusted, draw_positions(motion_module, adjusted))


def _inputs() -> list[io.Input]:
    """In the order in which they act."""
    return [
        MotionModule.Input("motion_module", tooltip="From Load Motion Module or Load MotionLoRA."),
        io.Int.Input(
            "stretch",
            tooltip="Rows that the whole table gets more, by interpolation, first of all. 0 = none.",
            **_ROWS,
        ),
        io.Int.Input(
            "offset_before",
            advanced=True,
            tooltip="First rows that are dropped before cap, so that frames count from there. 0 = none.",
            **_ROWS,
        ),
        io.Int.Input(
            "cap",
            display_name="cap (0 = all)",
            tooltip="First rows that are kept: 16 are those that modules know best. 0 = all.",
            **_ROWS,
        ),
        io.Int.Input(
            "length",
            display_name="length (0 = as before)",
            tooltip="Rows to which those are interpolated: 24 with cap 16 is slower motion. 0 = as before.",
            **_ROWS,
        ),
        io.Int.Input(
            "offset_after",
            advanced=True,
            tooltip="First rows that are dropped at the end. 0 = none.",
            **_ROWS,
        ),
    ]
