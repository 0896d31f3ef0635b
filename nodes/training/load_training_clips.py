"""Training Clips from Folder: videos with texts beside them, encoded once, for the training nodes."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.tuning.clip_folders import (
    FolderSettings,
    clips_of_folder,
    folder_state,
    list_clip_folders,
    missing_folder_message,
)
from ..base import ZoetropeNode
from .inputs import TrainingClips, weight_input


class LoadTrainingClips(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeLoadTrainingClips",
            display_name="Training Clips from Folder",
            category="Zoetrope/Training",
            description=(
                "Takes the videos of a folder as clips to train on, each with the text file beside it,"
                " encoded once."
            ),
            search_aliases=["dataset", "training data", "captions", "video folder", "数据集", "训练数据"],
            inputs=[
                io.Combo.Input(
                    "folder",
                    options=list_clip_folders(),
                    tooltip="A folder of videos in ComfyUI's input folder.",
                ),
                io.Vae.Input("vae", tooltip="The VAE of the checkpoint that is trained with."),
                io.Clip.Input("clip", tooltip="Reads the texts; from the same checkpoint."),
                *_clip_inputs(),
                weight_input(),
                TrainingClips.Input("clips", optional=True, tooltip="The clips before, of the same size."),
            ],
            outputs=[
                TrainingClips.Output("TRAINING_CLIPS", tooltip="Goes into a training node."),
                io.String.Output(
                    "STRING", tooltip="How many clips, and which videos are too short or untold."
                ),
            ],
        )

    @classmethod
    def execute(cls, folder, vae, clip, clips=None, **settings) -> io.NodeOutput:
        return io.NodeOutput(*clips_of_folder(folder, vae, clip, FolderSettings(**settings), clips))

    @classmethod
    def validate_inputs(cls, folder=None) -> bool | str:
        return missing_folder_message(folder) or True

    @classmethod
    def fingerprint_inputs(cls, folder=None, **others) -> str:
        return folder_state(folder)


def _clip_inputs() -> list[io.Input]:
    """What is taken of each video."""
    sides = [
        io.Int.Input(name, default=512, min=64, max=4096, step=8, tooltip=tooltip)
        for name, tooltip in (
            ("width", "Frames are scaled to this width and cut, in pixels."),
            ("height", "Frames are scaled to this height and cut, in pixels."),
        )
    ]
    return [
        io.Int.Input(
            "num_frames", default=16, min=2, max=1024, tooltip="Frames of a clip: 16 for AnimateDiff."
        ),
        io.Float.Input(
            "frame_rate",
            display_name="frame_rate (0 = as it is)",
            default=8.0,
            min=0.0,
            max=240.0,
            step=0.01,
            tooltip="Frames per second to take: 8 for AnimateDiff. 0 = as it is.",
        ),
        *sides,
        io.Int.Input(
            "clips_per_video",
            display_name="clips_per_video (0 = as many as it holds)",
            default=1,
            min=0,
            max=10000,
            tooltip="Clips of each video, one after the other. 0 = as many as it holds.",
        ),
        io.String.Input(
            "caption",
            default="",
            multiline=True,
            tooltip="The text of videos that have no .txt file of their name beside them.",
        ),
    ]
