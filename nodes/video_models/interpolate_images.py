"""Interpolate Images (DynamiCrafter): conditioning for the frames between two images."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.video_models import videocrafter_conditioning
from ..base import ZoetropeNode
from .inputs import conditioning_outputs, crafter_video, encoders, end_image, prompts, start_image


class InterpolateImages(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeInterpolateImages",
            display_name="Interpolate Images (DynamiCrafter)",
            category="Zoetrope/Video models",
            description=(
                "Makes a video that leads from one image to another, with DynamiCrafter 512 interpolation."
            ),
            search_aliases=[
                "dynamicrafter",
                "interpolation",
                "first and last frame",
                "start end",
                "tween",
                "morph",
                "keyframes",
                "frame interpolation",
                "首尾帧",
                "补帧",
                "插帧",
                "过渡",
            ],
            inputs=[
                *prompts(),
                *encoders(),
                start_image(),
                end_image(),
                *crafter_video(
                    5.0,
                    "Frames per second of the material: 5 to 30, as published 5; lower is faster movement.",
                ),
            ],
            outputs=conditioning_outputs(),
        )

    @classmethod
    def execute(
        cls, positive, negative, clip_vision, vae, start_image, end_image, **settings
    ) -> io.NodeOutput:
        settings = videocrafter_conditioning.InterpolationSettings(**settings)
        return io.NodeOutput(
            *videocrafter_conditioning.interpolation(
                positive, negative, clip_vision, vae, start_image, end_image, settings
            )
        )
