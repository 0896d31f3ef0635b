"""Animate Image (AnimateLCM): the image that an AnimateLCM-I2V module brings to life."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.injection.reference_image import LCMImage, animate_with_lcm
from ..base import ZoetropeNode
from .inputs import MotionModule


class AnimateImageLCM(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeAnimateImageLCM",
            display_name="Animate Image (AnimateLCM)",
            category="Zoetrope/AnimateDiff",
            description="Gives an AnimateLCM-I2V module the image that it animates, in few steps.",
            search_aliases=[
                "animatelcm",
                "animatelcm-i2v",
                "image to video",
                "i2v",
                "animate image",
                "ref_drift",
                "ADE",
                "lcm",
                "图生视频",
                "图片转视频",
                "图像动画",
            ],
            inputs=[
                MotionModule.Input(
                    "motion_module", tooltip="AnimateLCM_sd15_i2v.ckpt, from Load Motion Module."
                ),
                io.Vae.Input("vae", tooltip="The VAE of the checkpoint."),
                io.Image.Input(
                    "image",
                    tooltip=(
                        "One image, or one for each frame; the middle is cut out and resized to the size that"
                        " is sampled."
                    ),
                ),
                io.Float.Input(
                    "motion_scale",
                    default=0.8,
                    min=0.0,
                    max=2.0,
                    step=0.01,
                    tooltip=(
                        "How much the frames may leave the image, a factor: 0.8 as published, up to 1.5;"
                        " smaller keeps the image better, 0 gives every frame the same features."
                    ),
                ),
                io.String.Input(
                    "level_weights",
                    default="1, 1, 1, 1",
                    advanced=True,
                    tooltip=(
                        "Factors of the image's features at the four levels of the UNet, the finest first; 1"
                        " is as published, 0 off."
                    ),
                ),
            ],
            outputs=[MotionModule.Output("MOTION_MODULE", tooltip="Goes into Apply Motion Module.")],
        )

    @classmethod
    def execute(cls, motion_module, vae, image, **settings) -> io.NodeOutput:
        return io.NodeOutput(animate_with_lcm(motion_module, LCMImage(vae, image, **settings)))
