"""Video to Frames: the wanted part of a VIDEO as IMAGE."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.media.video import FrameOptions, video_frames
from ..base import ZoetropeNode
from .frame_inputs import frame_options, frame_outputs, preset_input


class TakeFrames(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeTakeFrames",
            display_name="Video to Frames",
            category="Zoetrope/Video",
            description=(
                "Decodes the part of a VIDEO that is wanted, at the size that is wanted, straight into its"
                " frames."
            ),
            search_aliases=[
                "load video",
                "vhs",
                "vhs load video",
                "force rate",
                "select every nth",
                "get video components",
                "frame cap",
                "video info",
                "extract frames",
                "加载视频",
                "读取视频",
                "抽帧",
                "视频转图片",
            ],
            inputs=[
                io.Video.Input("video", tooltip="From Load Video, or any other VIDEO; a trim of it is kept."),
                *frame_options(),
                preset_input(),
            ],
            outputs=[
                io.Image.Output("IMAGE", tooltip="The frames."),
                io.Mask.Output(
                    "MASK",
                    tooltip="1 where the video is transparent; empty (64x64) where it has no transparency.",
                ),
                io.Audio.Output(
                    "AUDIO", tooltip="The sound of the same span; nothing where the video has none."
                ),
                *frame_outputs(),
            ],
        )

    @classmethod
    def execute(cls, video, **options) -> io.NodeOutput:
        found = video_frames(video, FrameOptions.of(**options))
        return io.NodeOutput(found.images, found.mask, found.audio, *found.outputs())
