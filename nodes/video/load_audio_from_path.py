"""Load Audio from Path: the sound of a file that is named by its path."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.files.allowed_paths import path_message
from ...host.media.files_by_path import path_fingerprint, sound_of_path
from ..base import ZoetropeNode
from .frame_inputs import time_inputs
from .load_video_from_path import path_input


class LoadAudioFromPath(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeLoadAudioFromPath",
            display_name="Load Audio from Path",
            category="Zoetrope/Video",
            description=(
                "Reads the sound of an audio or video file that is named by its path, and says how long it"
                " is."
            ),
            search_aliases=[
                "load audio",
                "vhs load audio",
                "audio path",
                "audio duration",
                "加载音频",
                "音频路径",
                "音频时长",
            ],
            inputs=[path_input("music.mp3"), *time_inputs()],
            outputs=[
                io.Audio.Output("AUDIO", tooltip="The sound, as many channels as the file has."),
                io.Float.Output(
                    "duration", display_name="duration", tooltip="How long it lasts, in seconds."
                ),
            ],
        )

    @classmethod
    def execute(cls, path, **span) -> io.NodeOutput:
        return io.NodeOutput(*sound_of_path(path, **span))

    @classmethod
    def validate_inputs(cls, path=None) -> bool | str:
        return path_message(path) or True

    @classmethod
    def fingerprint_inputs(cls, path=None, **others) -> str:
        return path_fingerprint(path)
