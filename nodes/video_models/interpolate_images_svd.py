"""Interpolate Images (SVD): conditioning for the frames between two images."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.video_models import svd_conditioning
from ..base import ZoetropeNode
from .inputs import conditioning_outputs, encoders, end_image, start_image, svd_motion, svd_noise, svd_video


class InterpolateImagesSVD(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeInterpolateImagesSVD",
            display_name="Interpolate Images (SVD)",
            category="Zoetrope/Video models",
            description=(
                "Makes the frames between two images, with Stable Video Diffusion weights that were trained"
                " for it."
            ),
            search_aliases=[
                "svd",
                "interpolation",
                "first and last frame",
                "start end",
                "tween",
                "in between",
                "keyframes",
                "frame interpolation",
                "首尾帧",
                "补帧",
                "插帧",
            ],
            inputs=[
                *encoders(),
                start_image(),
                end_image(),
                *svd_video(
                    1024,
                    576,
                    5,
                    "Frames of the video with both images, at least 3: 5 as in the paper, three between the"
                    " two.",
                ),
                *svd_motion(),
                *svd_noise(),
            ],
            outputs=conditioning_outputs(),
        )

    @classmethod
    def execute(cls, clip_vision, vae, start_image, end_image, **settings) -> io.NodeOutput:
        settings = svd_conditioning.InterpolationSettings(**settings)
        return io.NodeOutput(
            *svd_conditioning.interpolation(clip_vision, vae, start_image, end_image, settings)
        )
