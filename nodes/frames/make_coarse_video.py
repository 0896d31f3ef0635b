"""Coarse Video from Image: a camera moves over a picture."""

from __future__ import annotations

from comfy_api.latest import io

from ...frame_tools.coarse_video import LARGEST_ANGLE, OUTSIDE, PATHS, MoveSettings
from ...host.media.frame_tools import make_coarse_video
from ..base import ZoetropeNode


class MakeCoarseVideo(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeMakeCoarseVideo",
            display_name="Coarse Video from Image",
            category="Zoetrope/Frames",
            description="Moves a camera over a picture, and a sampler makes a good video of it.",
            search_aliases=[
                "ken burns",
                "dreamix",
                "pan and zoom",
                "camera move",
                "homography",
                "perspective",
                "image to video",
                "镜头移动",
                "推拉摇移",
                "图生视频",
            ],
            inputs=[
                io.Image.Input("image", tooltip="One picture, which the first frame shows as it is."),
                io.Int.Input("num_frames", default=16, min=1, max=100000, tooltip="Frames that are made."),
                io.Float.Input(
                    "zoom",
                    default=1.0,
                    min=0.1,
                    max=10.0,
                    step=0.01,
                    tooltip="How much larger the picture is at the end: 1 = as it is, below 1 = smaller.",
                ),
                *_shifts(),
                *_angles(),
                io.Float.Input(
                    "field_of_view",
                    default=50.0,
                    min=5.0,
                    max=120.0,
                    step=1.0,
                    tooltip="Degrees that the camera sees over its width; for turn and tilt: more = deeper.",
                ),
                io.Combo.Input(
                    "path",
                    options=list(PATHS),
                    tooltip="How the camera goes: evenly, slowly at both ends, or to its start again.",
                ),
                io.Combo.Input(
                    "outside",
                    options=list(OUTSIDE),
                    default="mirror",
                    tooltip="What is seen past the picture's edges; the mask says where that is.",
                ),
            ],
            outputs=[
                io.Image.Output("IMAGE", tooltip="The coarse video."),
                io.Mask.Output(
                    "outside",
                    display_name="outside",
                    tooltip="1 where a frame shows what is past the picture's edges, for inpainting.",
                ),
            ],
        )

    @classmethod
    def execute(cls, image, **settings) -> io.NodeOutput:
        return io.NodeOutput(*make_coarse_video(image, MoveSettings(**settings)))


def _shifts() -> list[io.Input]:
    """How far the camera goes along the picture."""
    return [
        io.Float.Input(name, default=0.0, min=-10.0, max=10.0, step=0.01, tooltip=tooltip)
        for name, tooltip in (
            ("pan_x", "How far the camera goes right, in widths of the picture; negative = left."),
            ("pan_y", "How far the camera goes down, in heights of the picture; negative = up."),
        )
    ]


def _angles() -> list[io.Input]:
    """How far the camera turns."""
    return [
        io.Float.Input(name, default=0.0, min=-most, max=most, step=0.5, tooltip=tooltip)
        for name, most, tooltip in (
            ("roll", 3600.0, "How far the camera rolls clockwise, in degrees."),
            ("turn", LARGEST_ANGLE, "How far the camera turns right, in degrees, in perspective."),
            ("tilt", LARGEST_ANGLE, "How far the camera looks down, in degrees, in perspective."),
        )
    ]
