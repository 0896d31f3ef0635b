"""Save Frames as Video: IMAGE to a file."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.media.video_saving import SaveRequest, save_images
from ..base import ZoetropeNode
from .file_inputs import AUDIO, SEARCHED, VIDEO, file_inputs, keep_inputs


class SaveFrames(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeSaveFrames",
            display_name="Save Frames as Video",
            category="Zoetrope/Video",
            description=(
                "Writes frames, their transparency and sound to a video file or animated picture that has the"
                " workflow in it."
            ),
            search_aliases=[
                *SEARCHED,
                "vhs video combine",
                "images to video",
                "animated webp",
                "combine",
                "保存视频",
                "合成视频",
                "合并",
                "导出视频",
                "动图",
            ],
            inputs=[
                io.Image.Input("images", tooltip="The frames, in order."),
                *file_inputs(),
                io.Mask.Input(
                    "mask", optional=True, tooltip="1 = transparent; one for each frame or one for all."
                ),
                AUDIO,
                *keep_inputs(),
            ],
            outputs=[
                VIDEO,
                io.String.Output(
                    "path", display_name="path", tooltip="Where the file is, for nodes that take a path."
                ),
            ],
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, images, mask=None, audio=None, **settings) -> io.NodeOutput:
        saved = save_images(images, mask, audio, SaveRequest(**settings, hidden=cls.hidden))
        return io.NodeOutput(saved.video, str(saved.path), ui=saved.ui)
