"""Load Frames: a folder of images or an animated image as IMAGE."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.media.image_sources import fingerprint, list_image_sources, load_frames, missing_message
from ...host.media.video import FrameOptions
from ..base import ZoetropeNode
from .frame_inputs import frame_options, frame_outputs, preset_input


class LoadFrames(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeLoadFrames",
            display_name="Load Frames",
            category="Zoetrope/Video",
            description=(
                "Reads a folder of pictures or an animated WebP, GIF, APNG or AVIF as frames, with the same"
                " options as Video to Frames."
            ),
            search_aliases=[
                "load images",
                "vhs",
                "vhs load images",
                "image sequence",
                "image folder",
                "load gif",
                "load webp",
                "load apng",
                "load avif",
                "加载图片",
                "图片序列",
                "动图",
            ],
            inputs=[
                io.Combo.Input(
                    "source",
                    options=list_image_sources(),
                    tooltip=(
                        "A folder of pictures in the input folder (its name ends with /), in natural order,"
                        " or an animated picture."
                    ),
                ),
                io.Float.Input(
                    "folder_fps",
                    default=8.0,
                    min=0.01,
                    max=240.0,
                    step=0.01,
                    tooltip=(
                        "Frames per second of a folder of pictures: 8 for AnimateDiff; an animated picture"
                        " has its own."
                    ),
                ),
                *frame_options(),
                preset_input(),
                io.String.Input(
                    "path",
                    default="",
                    optional=True,
                    placeholder="frames/",
                    tooltip=(
                        "A folder or animated picture in place of source: in the input folder, or below a"
                        " folder that is written in the file user/__zoetrope/allowed_folders.txt."
                    ),
                ),
            ],
            outputs=[
                io.Image.Output("IMAGE", tooltip="The frames."),
                io.Mask.Output(
                    "MASK",
                    tooltip=(
                        "1 where the pictures are transparent; empty (64x64) where they have no transparency."
                    ),
                ),
                *frame_outputs(),
            ],
        )

    @classmethod
    def execute(cls, source, folder_fps, path=None, **options) -> io.NodeOutput:
        found = load_frames(source, folder_fps, FrameOptions.of(**options), path)
        return io.NodeOutput(found.images, found.mask, *found.outputs())

    @classmethod
    def validate_inputs(cls, source=None, path=None) -> bool | str:
        return missing_message(source, path) or True

    @classmethod
    def fingerprint_inputs(cls, source=None, path=None, **others) -> str:
        return fingerprint(source, path)
