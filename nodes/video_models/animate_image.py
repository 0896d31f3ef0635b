"""Animate Image (DynamiCrafter, VideoCrafter): conditioning for image to video."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.video_models import videocrafter_conditioning
from ..base import ZoetropeNode
from .inputs import conditioning_outputs, crafter_video, encoders, prompts, start_image

FPS_TOOLTIP = (
    "What the network takes for the speed of the material, in frames per second: 24 for DynamiCrafter 512, 5"
    " for its interpolation file, 10 for 1024, 8 for VideoCrafter1 image to video; for DynamiCrafter 256 the"
    " frame stride, 1 to 6, usually 3."
)


class AnimateImage(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeAnimateImage",
            display_name="Animate Image (DynamiCrafter, VideoCrafter)",
            category="Zoetrope/Video models",
            description=(
                "Makes a video that begins with an image, with DynamiCrafter or VideoCrafter1 image to video."
            ),
            search_aliases=[
                "dynamicrafter",
                "videocrafter",
                "image to video",
                "i2v",
                "start image",
                "loop",
                "first frame",
                "animate",
                "img2vid",
                "图生视频",
                "图片转视频",
                "动画",
                "循环",
            ],
            inputs=[
                *prompts(),
                *encoders(),
                start_image(),
                *crafter_video(24.0, FPS_TOOLTIP),
                io.Boolean.Input(
                    "closed_loop",
                    default=False,
                    tooltip=(
                        "Whether the video also ends with the image, so that it plays without a break; for"
                        " DynamiCrafter 512 interpolation, off = it ends anywhere."
                    ),
                ),
            ],
            outputs=conditioning_outputs(),
        )

    @classmethod
    def execute(cls, positive, negative, clip_vision, vae, start_image, **settings) -> io.NodeOutput:
        settings = videocrafter_conditioning.ImageSettings(**settings)
        return io.NodeOutput(
            *videocrafter_conditioning.image_to_video(
                positive, negative, clip_vision, vae, start_image, settings
            )
        )
