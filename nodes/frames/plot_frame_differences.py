"""Plot Frame Differences: change from frame to frame as curves."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.media.frame_tools import difference_plot
from ..base import ZoetropeNode
from .inputs import clips, labels


class PlotFrameDifferences(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropePlotFrameDifferences",
            display_name="Plot Frame Differences",
            category="Zoetrope/Frames",
            description="Draws how much each frame differs from the one before, a curve for each clip.",
            search_aliases=[
                "frame difference",
                "flicker meter",
                "temporal consistency",
                "seam",
                "jump",
                "scene change",
                "graph",
                "curve",
                "帧差",
                "曲线",
            ],
            inputs=[
                clips("Clips of at least 2 frames, up to 16; a new socket appears as you wire one."),
                labels("One line of text for each clip, in their order. Empty = clip 1, clip 2 and so on."),
                io.Int.Input("width", default=768, min=256, max=4096, tooltip="Width of the plot in pixels."),
                io.Int.Input(
                    "height", default=384, min=160, max=4096, tooltip="Height of the plot in pixels."
                ),
            ],
            outputs=[
                io.Image.Output("IMAGE", tooltip="The plot, one picture."),
                io.String.Output(
                    "STRING",
                    tooltip=(
                        "A line for each clip: mean difference, and the largest with its frame (0 to 255)."
                    ),
                ),
            ],
        )

    @classmethod
    def execute(cls, clips, labels, width, height) -> io.NodeOutput:
        return io.NodeOutput(*difference_plot(clips, labels, width, height))
