"""Video Set from Folder: the videos or pictures of a folder, to be measured."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.measuring.video_sets import SetSettings, list_sets, missing_set_message, set_of_folder, set_state
from ..base import ZoetropeNode
from .inputs import VideoSet, length_inputs


class LoadVideoSet(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeLoadVideoSet",
            display_name="Video Set from Folder",
            category="Zoetrope/Metrics",
            description="Takes the videos of a folder, or its pictures, as a set that Measure Set measures.",
            search_aliases=["dataset", "folder of videos", "real videos", "评估集", "文件夹"],
            inputs=[
                io.Combo.Input(
                    "folder",
                    options=list_sets(),
                    tooltip=(
                        "A folder of videos or pictures in ComfyUI's input folder or, with [output]"
                        " behind its"
                        " name, in its output folder."
                    ),
                ),
                *length_inputs(
                    "Frames of each video, from its beginning; a shorter video is an error. 0 = all."
                    " 16 are usual"
                    " for fvd."
                ),
                io.Float.Input(
                    "frame_rate",
                    display_name="frame_rate (0 = as it is)",
                    default=0.0,
                    min=0.0,
                    max=240.0,
                    step=0.01,
                    tooltip="Frames per second to take; set both sets alike. 0 = as it is.",
                ),
            ],
            outputs=[
                VideoSet.Output("VIDEO_SET", tooltip="Goes into Measure Set."),
                io.String.Output("STRING", tooltip="How many videos or pictures there are."),
            ],
        )

    @classmethod
    def execute(cls, folder, **settings) -> io.NodeOutput:
        return io.NodeOutput(*set_of_folder(folder, SetSettings(**settings)))

    @classmethod
    def validate_inputs(cls, folder=None) -> bool | str:
        return missing_set_message(folder) or True

    @classmethod
    def fingerprint_inputs(cls, folder=None, **others) -> str:
        return set_state(folder)
