"""Smooth Background: a background that stays the first frame's."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.sampling.text2video_zero import smooth_frames
from ...samplers.text2video_zero.background import SmoothSettings
from ..base import ZoetropeNode
from ..videos_in_batch import frames_per_video
from .inputs import MotionField, as_published


class SmoothBackground(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeSmoothBackground",
            display_name="Smooth Background",
            category="Zoetrope/Text2Video-Zero",
            description=(
                "Gives the frames of Prepare Text2Video-Zero the first frame's background, where no frame"
                " shows the thing."
            ),
            search_aliases=[
                "background smoothing",
                "smooth_bg",
                "background consistency",
                "text2video-zero",
                "salient object",
                "背景平滑",
                "背景一致",
            ],
            inputs=[
                io.Latent.Input("latent", tooltip="From Prepare Text2Video-Zero."),
                io.Mask.Input(
                    "mask",
                    tooltip=(
                        "1 where the thing is, a mask for each frame, made from the decoded frames of a first"
                        " run, for example with Remove Background."
                    ),
                ),
                MotionField.Input("motion_field", tooltip="The field that the frames were prepared with."),
                io.Float.Input(
                    "keep",
                    default=0.4,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip=(
                        "How much of the background each frame keeps of its own: 0.4 as published, 1 = no"
                        " change, 0 = none."
                    ),
                ),
                as_published(),
                frames_per_video(
                    "Frames of one video where the latent holds several. 0 = the whole batch is one video."
                ),
            ],
            outputs=[
                io.Latent.Output("LATENT", tooltip="Goes into the sampler again, with the same sigmas.")
            ],
        )

    @classmethod
    def execute(cls, latent, mask, motion_field, **settings) -> io.NodeOutput:
        return io.NodeOutput(smooth_frames(latent, mask, motion_field, SmoothSettings(**settings)))
