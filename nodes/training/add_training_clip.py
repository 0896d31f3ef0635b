"""Training Clip: frames and their text, for the training nodes."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.tuning.clips import add_clip
from ..base import ZoetropeNode
from .inputs import TrainingClips, weight_input


class AddTrainingClip(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeAddTrainingClip",
            display_name="Training Clip",
            category="Zoetrope/Training",
            description="A clip and its text to train on; chain several for a set.",
            search_aliases=["training data", "dataset", "training video", "训练数据", "训练视频"],
            inputs=[
                io.Latent.Input(
                    "latent",
                    tooltip="The frames of one clip, encoded by the checkpoint's VAE: 8 to 32 of them.",
                ),
                io.Conditioning.Input("positive", tooltip="CLIP Text Encode of what the clip shows."),
                weight_input(),
                TrainingClips.Input("clips", optional=True, tooltip="The clips before, of the same size."),
            ],
            outputs=[TrainingClips.Output("TRAINING_CLIPS", tooltip="Goes into a training node.")],
        )

    @classmethod
    def execute(cls, latent, positive, weight, clips=None) -> io.NodeOutput:
        return io.NodeOutput(add_clip(clips, latent, positive, weight=weight))
