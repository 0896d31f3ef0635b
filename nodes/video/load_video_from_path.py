"""Load Video from Path: a file that is named by its path as VIDEO."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.files.allowed_paths import path_message
from ...host.media.files_by_path import path_fingerprint, video_of_path
from ..base import ZoetropeNode


class LoadVideoFromPath(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeLoadVideoFromPath",
            display_name="Load Video from Path",
            category="Zoetrope/Video",
            description=(
                "Opens a video file that is named by its path: of the input folder, or of a folder that the"
                " person who runs ComfyUI allowed."
            ),
            search_aliases=[
                "load video",
                "vhs load video path",
                "video path",
                "file path",
                "加载视频",
                "视频路径",
            ],
            inputs=[path_input("clip.mp4")],
            outputs=[
                io.Video.Output("VIDEO", tooltip="The file; goes into Video to Frames and Video to Latents.")
            ],
        )

    @classmethod
    def execute(cls, path) -> io.NodeOutput:
        return io.NodeOutput(video_of_path(path))

    @classmethod
    def validate_inputs(cls, path=None) -> bool | str:
        return path_message(path) or True

    @classmethod
    def fingerprint_inputs(cls, path=None) -> str:
        return path_fingerprint(path)


def path_input(example: str) -> io.Input:
    """The path of a file."""
    return io.String.Input(
        "path",
        default="",
        placeholder=example,
        tooltip=(
            "A name in the input folder, or a whole path below a folder that is written in the file"
            " user/__zoetrope/allowed_folders.txt."
        ),
    )
