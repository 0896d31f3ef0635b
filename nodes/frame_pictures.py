"""Nodes that compare clips and draw how they move."""

from __future__ import annotations

from comfy_api.latest import io

from ..frame_tools.grids import LENGTHS
from ..host.media.frame_tools import compare, contact_sheet, difference_plot, optical_flow_image
from .base import ZoetropeNode

CATEGORY = "Zoetrope/Frames"
OpticalFlow = io.Custom("OPTICAL_FLOW")  # ComfyUI's own type, from Load Optical Flow Model


def _clips(tooltip: str) -> io.Autogrow.Input:
    template = io.Autogrow.TemplatePrefix(io.Image.Input("clip"), prefix="clip", min=1, max=16)
    return io.Autogrow.Input("clips", template=template, tooltip=tooltip)


def _labels(tooltip: str) -> io.String.Input:
    return io.String.Input("labels", default="", multiline=True, tooltip=tooltip)


class CompareClips(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeCompareClips",
            display_name="Compare Clips",
            category=CATEGORY,
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
                _clips("Clips to compare, up to 16; a new socket appears as you wire one."),
                _labels("One line of text for each clip, in their order; any script. Empty = no labels."),
                io.Int.Input(
                    "columns",
                    display_name="columns (0 = auto)",
                    default=0,
                    min=0,
                    max=16,
                    tooltip=(
                        "Clips in a row: 0 = up to three side by side, more in a square; 1 = below each"
                        " other."
                    ),
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
                    tooltip=(
                        "Height of the bars with the labels in pixels; 24 suits clips of 256 to 768 pixels."
                    ),
                ),
            ],
            outputs=[
                io.Image.Output(
                    "IMAGE",
                    tooltip="The clips in one picture, frame by frame; sides are even, as videos need.",
                )
            ],
        )

    @classmethod
    def execute(cls, clips, labels, columns, length, label_height) -> io.NodeOutput:
        return io.NodeOutput(compare(clips, labels, columns, length, label_height))


class MakeContactSheet(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeMakeContactSheet",
            display_name="Contact Sheet",
            category=CATEGORY,
            description="Puts the frames of a clip on one picture, each with its number.",
            search_aliases=[
                "contact sheet",
                "film strip",
                "filmstrip",
                "thumbnails",
                "image grid",
                "sprite sheet",
                "storyboard",
                "缩略图",
                "网格",
                "故事板",
            ],
            inputs=[
                io.MultiType.Input("frames", [io.Image, io.Mask], tooltip="IMAGE or MASK: the clip."),
                io.Int.Input(
                    "count",
                    display_name="count (0 = all)",
                    default=16,
                    min=0,
                    max=10000,
                    tooltip="How many frames are shown, evenly spread from the first to the last: 0 = all.",
                ),
                io.Int.Input(
                    "columns",
                    display_name="columns (0 = auto)",
                    default=0,
                    min=0,
                    max=1000,
                    tooltip="Frames in a row: 0 = so that the sheet is about 4:3.",
                ),
                io.Int.Input(
                    "cell_width",
                    default=256,
                    min=16,
                    max=4096,
                    tooltip="Width of a small frame in pixels, at most that of the frames.",
                ),
                io.Float.Input(
                    "fps",
                    display_name="fps (0 = no time)",
                    default=0.0,
                    min=0.0,
                    max=240.0,
                    step=0.01,
                    tooltip=(
                        "Frames per second, to write the time in seconds beside the number: 0 = only the"
                        " number."
                    ),
                ),
                io.Boolean.Input(
                    "numbers",
                    default=True,
                    tooltip="Whether each frame has its number on it; on = yes, counted from 0.",
                ),
            ],
            outputs=[io.Image.Output("IMAGE", tooltip="The sheet, one picture.")],
        )

    @classmethod
    def execute(cls, frames, count, columns, cell_width, fps, numbers) -> io.NodeOutput:
        return io.NodeOutput(contact_sheet(frames, count, columns, cell_width, fps, numbers))


class DrawOpticalFlow(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeDrawOpticalFlow",
            display_name="Draw Optical Flow",
            category=CATEGORY,
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


class PlotFrameDifferences(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropePlotFrameDifferences",
            display_name="Plot Frame Differences",
            category=CATEGORY,
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
                _clips("Clips of at least 2 frames, up to 16; a new socket appears as you wire one."),
                _labels("One line of text for each clip, in their order. Empty = clip 1, clip 2 and so on."),
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


NODES = [CompareClips, MakeContactSheet, DrawOpticalFlow, PlotFrameDifferences]
