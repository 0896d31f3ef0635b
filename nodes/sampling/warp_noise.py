"""Warped Noise: start noise that moves with what is in a video."""

from __future__ import annotations

from comfy_api.latest import io

from ...samplers.warped_noise import WarpedNoise
from ..base import ZoetropeNode
from ..text2video_zero.inputs import MotionField
from ..videos_in_batch import frames_per_video


class WarpNoise(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeWarpNoise",
            display_name="Warped Noise",
            category="Zoetrope/Sampling",
            description=(
                "Start noise that moves with the things in a video, so that their details go with them."
            ),
            search_aliases=[
                "warp noise",
                "flow noise",
                "optical flow",
                "video to video",
                "go with the flow",
                "how i warped your noise",
                "temporal consistency",
                "flicker",
                "扭曲噪声",
                "光流噪声",
                "视频转视频",
            ],
            inputs=[
                io.Noise.Input("noise", tooltip="Any NOISE, such as RandomNoise."),
                MotionField.Input(
                    "motion_field",
                    tooltip=(
                        "How things move, from Motion Field from Video, or Motion Field for a camera; of as"
                        " many frames as the latent or more."
                    ),
                ),
                frames_per_video(
                    "Frames of one video when a batch holds several one after another; 0 = all frames are one"
                    " video. Each video gets noise of its own."
                ),
            ],
            outputs=[io.Noise.Output("NOISE", tooltip="Goes into SamplerCustomAdvanced.")],
        )

    @classmethod
    def execute(cls, noise, motion_field, frames_per_video) -> io.NodeOutput:
        return io.NodeOutput(WarpedNoise(noise, motion_field, frames_per_video))
