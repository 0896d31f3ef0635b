"""Create Video (true colours): frames to a VIDEO tagged with BT.709."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.media.video import create_video
from ..base import ZoetropeNode


class CreateVideo(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeCreateVideo",
            display_name="Create Video (true colours)",
            category="Zoetrope/Video",
            description=(
                "Makes a VIDEO of frames whose colours look the same in the browser as in the graph; goes"
                " into Save Video."
            ),
            search_aliases=[
                "video combine",
                "vhs",
                "frames to video",
                "images to video",
                "save video",
                "mp4",
                "bt709",
                "创建视频",
                "图片合成视频",
            ],
            inputs=[
                io.Image.Input("images", tooltip="The frames, in order."),
                io.Float.Input(
                    "fps",
                    default=8.0,
                    min=0.01,
                    max=240.0,
                    step=0.01,
                    tooltip="Frames per second; 8 for AnimateDiff.",
                ),
                io.Float.Input(
                    "crf",
                    default=18.0,
                    min=1.0,
                    max=51.0,
                    step=1.0,
                    advanced=True,
                    tooltip=(
                        "H.264 quality: 1 = hardly compressed and large, 18 = looks like the original, 51 ="
                        " worst."
                    ),
                ),
                io.Audio.Input(
                    "audio",
                    optional=True,
                    tooltip="Sound to go with it; what is longer than the frames is cut off.",
                ),
            ],
            outputs=[
                io.Video.Output(
                    "VIDEO", tooltip="Goes into Save Video, which stores it without encoding again."
                )
            ],
        )

    @classmethod
    def execute(cls, images, fps, crf, audio=None) -> io.NodeOutput:
        return io.NodeOutput(create_video(images, fps, crf, audio))
