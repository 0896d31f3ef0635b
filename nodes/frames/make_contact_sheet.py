"""Contact Sheet: frames of a clip on one image."""

from __future__ import annotations

from comfy_api.latest import io

from ...frame_tools.grids import SheetSettings
from ...host.media.frame_tools import contact_sheet
from ..base import ZoetropeNode


class MakeContactSheet(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeMakeContactSheet",
            display_name="Contact Sheet",
            category="Zoetrope/Frames",
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
                *_layout_inputs(),
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
    def execute(cls, frames, **settings) -> io.NodeOutput:
        return io.NodeOutput(contact_sheet(frames, SheetSettings(**settings)))


def _layout_inputs() -> list[io.Input]:
    """How many frames are shown, and how large."""
    return [
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
    ]
