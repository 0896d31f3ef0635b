"""Split Into Content and Motion: what a dual-stream MODEL samples."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.media.motion_latents import SplitSettings, split_streams
from ..base import ZoetropeNode
from ..videos_in_batch import frames_per_video


class SplitContentMotion(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeSplitContentMotion",
            display_name="Split Into Content and Motion",
            category="Zoetrope/Temporal layers",
            description=(
                "Makes of the latents of a video those of its content and its motion, side by side, for a"
                " MODEL with dual-stream layers."
            ),
            search_aliases=[
                "dual stream",
                "DSDN",
                "motion decomposer",
                "frame differences",
                "双流",
                "内容与运动",
                "运动分解",
            ],
            inputs=[
                io.Latent.Input(
                    "samples",
                    tooltip=(
                        "Latents of frames: Empty Latent Image with batch_size = frames for text to video, or"
                        " an encoded video."
                    ),
                ),
                frames_per_video(
                    "Frames of one video when the latents hold several videos one after another; 0 = all"
                    " frames are one video."
                ),
                io.Float.Input(
                    "motion_size",
                    display_name="motion_size (0 = measured)",
                    default=0.0,
                    min=0.0,
                    max=10.0,
                    step=0.01,
                    advanced=True,
                    tooltip=(
                        "How large the differences of neighbouring frames are beside the frames; smaller ="
                        " calmer. 0 = measured in these frames, and 1 where nothing moves, as in an empty"
                        " latent."
                    ),
                ),
            ],
            outputs=[
                io.Latent.Output(
                    "LATENT", tooltip="Twice as many images: content, then motion. Goes into a sampler."
                )
            ],
        )

    @classmethod
    def execute(cls, samples, **settings) -> io.NodeOutput:
        return io.NodeOutput(split_streams(samples, SplitSettings(**settings)))
