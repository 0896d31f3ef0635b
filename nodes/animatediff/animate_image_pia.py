"""Animate Image (PIA): the image that a PIA module brings to life."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.injection.animated_image import (
    CONV_IN_CHOICES,
    MOTION_CHOICES,
    OF_CHECKPOINT,
    AnimatedImage,
    animate_image,
)
from ..base import ZoetropeNode
from .inputs import MotionModule


class AnimateImagePIA(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeAnimateImagePIA",
            display_name="Animate Image (PIA)",
            category="Zoetrope/AnimateDiff",
            description="Gives a PIA module the image that it animates, and says how much moves.",
            search_aliases=[
                "pia",
                "personalized image animator",
                "image to video",
                "i2v",
                "animate image",
                "animatediff pia",
                "ADE",
                "input pia",
                "loop",
                "style transfer",
                "图生视频",
                "图片转视频",
                "图像动画",
            ],
            inputs=[
                MotionModule.Input("motion_module", tooltip="pia.ckpt, from Load Motion Module."),
                io.Vae.Input("vae", tooltip="The VAE of the checkpoint."),
                io.Image.Input(
                    "image",
                    tooltip="One image; its middle is cut out and resized to the size that is sampled.",
                ),
                io.Combo.Input(
                    "motion",
                    options=MOTION_CHOICES,
                    default="small",
                    tooltip=(
                        "How much moves: small, moderate or large; loop ends as it begins, for 16 frames;"
                        " style transfer follows the prompt more than the image, for checkpoints of"
                        " another style."
                    ),
                ),
                io.Int.Input(
                    "cond_frame",
                    default=0,
                    min=0,
                    max=4095,
                    advanced=True,
                    tooltip="The frame that looks like the image: 0 = the first.",
                ),
                io.Combo.Input(
                    "conv_in",
                    options=CONV_IN_CHOICES,
                    default=OF_CHECKPOINT,
                    advanced=True,
                    tooltip=(
                        "Whose weights of the first convolution see the noisy latents: those of the"
                        " checkpoint, for every personalised checkpoint, or those of the PIA file, as the"
                        " published code does on plain Stable Diffusion 1.5."
                    ),
                ),
            ],
            outputs=[MotionModule.Output("MOTION_MODULE", tooltip="Goes into Apply Motion Module.")],
        )

    @classmethod
    def execute(cls, motion_module, vae, image, **settings) -> io.NodeOutput:
        return io.NodeOutput(animate_image(motion_module, AnimatedImage(vae, image, **settings)))
