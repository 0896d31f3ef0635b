"""Video Set from Frames: wired clips, or a list of them, to be measured."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.measuring.video_sets import SetSettings, set_of_clips
from ..base import ZoetropeNode
from ..videos_in_batch import frames_per_video
from .inputs import VideoSet, length_inputs


class MakeVideoSet(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeMakeVideoSet",
            display_name="Video Set from Frames",
            category="Zoetrope/Metrics",
            description="Takes clips of the graph, one batch or a list of batches, as a set for Measure Set.",
            search_aliases=["batch of videos", "list of clips", "评估集", "批次"],
            is_input_list=True,
            inputs=[
                io.Image.Input("images", tooltip="The frames of a clip; of a list each batch is a clip."),
                *length_inputs(
                    "Frames of each clip, from its beginning; a shorter one is an error. 0 = all."
                ),
                io.Float.Input(
                    "fps",
                    display_name="fps (0 = not known)",
                    default=0.0,
                    min=0.0,
                    max=240.0,
                    step=0.01,
                    tooltip="Frames per second of the clips, which dynamic_degree goes by. 0 = not known.",
                ),
                frames_per_video("Frames of each video where a batch holds several. 0 = all, one video."),
            ],
            outputs=[VideoSet.Output("VIDEO_SET", tooltip="Goes into Measure Set.")],
        )

    @classmethod
    def execute(cls, images, num_frames, fps, frames_per_video) -> io.NodeOutput:
        settings = SetSettings(num_frames[0])
        return io.NodeOutput(set_of_clips(images, settings, frames_per_video[0], fps[0]))
