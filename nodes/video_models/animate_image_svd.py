"""Animate Image (SVD): conditioning for image to video."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.video_models import svd_conditioning
from ..base import ZoetropeNode
from .inputs import conditioning_outputs, encoders, start_image, svd_motion, svd_noise, svd_video


class AnimateImageSVD(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeAnimateImageSVD",
            display_name="Animate Image (SVD)",
            category="Zoetrope/Video models",
            description="Makes a video that begins with an image, with Stable Video Diffusion.",
            search_aliases=[
                "svd",
                "stable video diffusion",
                "svd_img2vid",
                "image to video",
                "i2v",
                "img2vid",
                "motion bucket",
                "animate",
                "图生视频",
                "图片转视频",
                "动画",
            ],
            inputs=[
                *encoders(),
                start_image(),
                *svd_video(
                    1024,
                    576,
                    14,
                    "Frames of the video: SVD was trained with 14, XT with 25; more run, best with Context"
                    " Windows.",
                ),
                *svd_motion(),
                *svd_noise(),
            ],
            outputs=conditioning_outputs(),
        )

    @classmethod
    def execute(cls, clip_vision, vae, start_image, **settings) -> io.NodeOutput:
        settings = svd_conditioning.ImageSettings(**settings)
        return io.NodeOutput(*svd_conditioning.image_to_video(clip_vision, vae, start_image, settings))
