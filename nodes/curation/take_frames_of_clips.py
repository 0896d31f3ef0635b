"""Frames of Clips: some frames of each clip, one list item for each, for a model that writes captions."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.curation.choosing import frames_of_clips
from ..base import ZoetropeNode
from .inputs import clips_input


class TakeFramesOfClips(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeTakeFramesOfClips",
            display_name="Frames of Clips",
            category="Zoetrope/Curation",
            description=(
                "Gives some frames of each clip that is still in, clip by clip, for a node that writes"
                " captions."
            ),
            search_aliases=["caption", "captioning", "preview", "thumbnails", "打标", "描述", "预览"],
            inputs=[
                clips_input(),
                io.Int.Input(
                    "count", default=1, min=1, max=256, tooltip="Frames of each clip, evenly spread over it."
                ),
                io.Int.Input(
                    "side", default=512, min=32, max=4096, tooltip="Pixels of the longer side, at most."
                ),
            ],
            outputs=[
                io.Image.Output(
                    "IMAGE",
                    is_output_list=True,
                    tooltip="A batch for each clip; what comes next runs once for each.",
                )
            ],
        )

    @classmethod
    def execute(cls, clips, count, side) -> io.NodeOutput:
        return io.NodeOutput(frames_of_clips(clips, count, side))
