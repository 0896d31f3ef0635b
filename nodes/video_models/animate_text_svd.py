"""Animate Text (SVD): conditioning for text to video."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.video_models import svd_conditioning
from ..base import ZoetropeNode
from .inputs import conditioning_outputs, svd_motion, svd_video


class AnimateTextSVD(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeAnimateTextSVD",
            display_name="Animate Text (SVD)",
            category="Zoetrope/Video models",
            description=(
                "Makes a video of a prompt, with Stable Video Diffusion weights that were trained with text."
            ),
            search_aliases=[
                "svd",
                "text to video",
                "t2v",
                "stable video diffusion",
                "prompt",
                "文生视频",
                "提示词",
            ],
            inputs=[
                io.Conditioning.Input(
                    "positive",
                    tooltip="What the video shows, from CLIP Text Encode; SVD's width is OpenCLIP ViT-H's.",
                ),
                io.Conditioning.Input(
                    "negative",
                    tooltip="What it does not show, from CLIP Text Encode; usually an empty prompt.",
                ),
                *svd_video(
                    576,
                    320,
                    14,
                    "Frames of the video: as many as the weights were trained with, 14 in the paper.",
                ),
                *svd_motion(),
            ],
            outputs=conditioning_outputs(),
        )

    @classmethod
    def execute(cls, positive, negative, **settings) -> io.NodeOutput:
        settings = svd_conditioning.TextSettings(**settings)
        return io.NodeOutput(*svd_conditioning.text_to_video(positive, negative, settings))
