"""Vary Value by Block: factors of a value for the blocks of the UNet."""

from __future__ import annotations

from dataclasses import replace

from comfy_api.latest import io

from ...frame_values import frame_values, parse_blocks
from ..animatediff.inputs import FrameValues
from ..base import ZoetropeNode


class VaryValueByBlock(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeVaryValueByBlock",
            display_name="Vary Value by Block",
            category="Zoetrope/Sampling",
            description="Multiplies a value by another factor in each part of the UNet.",
            search_aliases=[
                "per block",
                "block weight",
                "AD per block",
                "ADE",
                "down mid up",
                "分块",
                "分层权重",
            ],
            inputs=[
                *(
                    io.Float.Input(
                        group,
                        default=1.0,
                        min=0.0,
                        max=100.0,
                        step=0.01,
                        tooltip=f"The factor for {what}: 1 = as it is, 0 = off.",
                    )
                    for group, what in (
                        ("down", "the blocks on the way down (motion in the large)"),
                        ("mid", "the block in the middle"),
                        ("up", "the blocks on the way up (motion in detail)"),
                    )
                ),
                io.String.Input(
                    "blocks",
                    default="",
                    multiline=True,
                    tooltip=(
                        "Factors for single blocks in place of the above, such as 'down 0: 0.5, up 3.1: 0':"
                        " the level, and behind the point the place in it."
                    ),
                ),
                FrameValues.Input(
                    "values", optional=True, tooltip="The value that is multiplied; without it 1."
                ),
            ],
            outputs=[
                FrameValues.Output(
                    "VALUES", tooltip="Goes into strength or attention_scale of Apply Motion Module."
                )
            ],
        )

    @classmethod
    def execute(cls, blocks, values=None, **groups) -> io.NodeOutput:
        factors = {name: factor for name, factor in groups.items() if factor != 1} | parse_blocks(blocks)
        return io.NodeOutput(replace(values or frame_values([1.0]), blocks=factors))
