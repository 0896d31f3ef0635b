"""Compare Clips: clips side by side, with labels."""

from __future__ import annotations

from comfy_api.latest import io

from ...frame_tools.grids import LENGTHS, GridSettings
from ...host.media.frame_tools import compare
from ..base import ZoetropeNode
from .inputs import clips, labels


class CompareClips(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeCompareClips",
            display_name="Compare Clips",
            category="Zoetrope/Frames",
            description="Shows clips side by side or in a grid, with a label above each.",
            search_aliases=[
                "side by side",
                "grid",
                "image grid",
                "video grid",
                "labelled",
                "before and after",
                "stitch",
                "xy plot",
                "comparison",
                "对比",
                "并排",
                "网格",
            ],
            inputs=[
                clips("Clips to compare, up to 16; a new socket appears as you wire one."),
                labels("One line of text for each clip, in their order; any script. Empty = no labels."),
                *_layout_inputs(),
            ],
            outputs=[
                io.Image.Output(
                    "IMAGE",
                    tooltip="The clips in one picture, frame by frame; sides are even, as videos need.",
                )
            ],
        )

    @classmethod
    def execute(cls, clips, labels, **settings) -> io.NodeOutput:
        return io.NodeOutput(compare(clips, labels, GridSettings(**settings)))


def _layout_inputs() -> list[io.Input]:
    """How clips lie beside each other, in space and in time."""
    return [
        io.Int.Input(
            "columns",
            display_name="columns (0 = auto)",
            default=0,
            min=0,
            max=16,
            tooltip=("Clips in a row: 0 = up to three side by side, more in a square; 1 = below each other."),
        ),
        io.Combo.Input(
            "length",
            options=list(LENGTHS),
            default=LENGTHS[0],
            tooltip=(
                "Frames of the result: longest = of the longest clip, shorter ones stay at their last"
                " frame; shortest = of the shortest clip."
            ),
        ),
        io.Int.Input(
            "label_height",
            default=24,
            min=12,
            max=256,
            advanced=True,
            tooltip=("Height of the bars with the labels in pixels; 24 suits clips of 256 to 768 pixels."),
        ),
    ]
