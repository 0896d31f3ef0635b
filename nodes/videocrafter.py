"""Nodes for VideoCrafter and DynamiCrafter: what their
networks are told besides the prompt, and how they are sampled.
"""

from __future__ import annotations

from comfy_api.latest import io

from ..host.sampling import scaled_sampling
from ..host.video_models import videocrafter_conditioning
from ..host.video_models.videocrafter import with_noise_scale
from ..samplers.scaled_schedule import DDIM_SPACINGS
from .base import ZoetropeNode

CATEGORY = "Zoetrope/Video models"


def _prompts() -> list:
    return [
        io.Conditioning.Input(
            "positive", tooltip="What the video shows, from CLIP Text Encode with OpenCLIP ViT-H."
        ),
        io.Conditioning.Input(
            "negative", tooltip="What it does not show, from CLIP Text Encode; an empty prompt as published."
        ),
    ]


def _prompt_outputs() -> list:
    return [
        io.Conditioning.Output(
            "positive", display_name="positive", tooltip="Goes into the sampler's positive input."
        ),
        io.Conditioning.Output(
            "negative", display_name="negative", tooltip="Goes into the sampler's negative input."
        ),
    ]


def _encoders() -> list:
    return [
        io.ClipVision.Input(
            "clip_vision", tooltip="CLIP ViT-H: the CLIP_VISION of Load Video Model or CLIP-ViT-H-14."
        ),
        io.Vae.Input("vae", tooltip="The VAE of Load Video Model, or of an SD1.x or SD2.x checkpoint."),
    ]


def _sizes(fps: float, fps_tooltip: str) -> list:
    return [
        io.Int.Input(
            "width",
            default=512,
            min=16,
            max=4096,
            step=16,
            tooltip="Width of the video in pixels, a multiple of 16.",
        ),
        io.Int.Input(
            "height",
            default=320,
            min=16,
            max=4096,
            step=16,
            tooltip="Height of the video in pixels, a multiple of 16.",
        ),
        io.Int.Input(
            "num_frames",
            default=16,
            min=1,
            max=4096,
            tooltip=(
                "Frames of the video; DynamiCrafter makes exactly 16 at a time, more need Context Windows."
            ),
        ),
        io.Float.Input("fps", default=fps, min=0.01, max=240.0, step=0.01, tooltip=fps_tooltip),
    ]


FPS_TOOLTIP = (
    "What the network takes for the speed of the material, in frames per second: 24 for DynamiCrafter 512, 5"
    " for its interpolation file, 10 for 1024, 8 for VideoCrafter1 image to video; for DynamiCrafter 256 the"
    " frame stride, 1 to 6, usually 3."
)


class SetFrameRate(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeSetFrameRate",
            display_name="Set Frame Rate (VideoCrafter)",
            category=CATEGORY,
            description=(
                "Tells VideoCrafter's text-to-video networks for how many frames per second they make the"
                " video."
            ),
            search_aliases=[
                "videocrafter",
                "fps",
                "frame rate",
                "frame stride",
                "text to video",
                "motion speed",
                "帧率",
            ],
            inputs=[
                *_prompts(),
                io.Float.Input(
                    "fps",
                    default=28.0,
                    min=0.01,
                    max=240.0,
                    step=0.01,
                    tooltip=(
                        "Frames per second that the network was told in training: 28 as published for"
                        " VideoCrafter2 and VideoCrafter1 1024; lower means larger steps between frames."
                    ),
                ),
            ],
            outputs=_prompt_outputs(),
        )

    @classmethod
    def execute(cls, positive, negative, fps) -> io.NodeOutput:
        return io.NodeOutput(*videocrafter_conditioning.with_frame_rate(positive, negative, fps))


class AnimateImage(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeAnimateImage",
            display_name="Animate Image (DynamiCrafter, VideoCrafter)",
            category=CATEGORY,
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
                *_prompts(),
                *_encoders(),
                io.Image.Input(
                    "start_image",
                    tooltip="The first frame; its middle is cut out and resized to width x height.",
                ),
                *_sizes(24.0, FPS_TOOLTIP),
                io.Boolean.Input(
                    "closed_loop",
                    default=False,
                    tooltip=(
                        "Whether the video also ends with the image, so that it plays without a break; for"
                        " DynamiCrafter 512 interpolation, off = it ends anywhere."
                    ),
                ),
            ],
            outputs=[
                *_prompt_outputs(),
                io.Latent.Output("latent", display_name="latent", tooltip="Empty frames of this size."),
            ],
        )

    @classmethod
    def execute(
        cls, positive, negative, clip_vision, vae, start_image, width, height, num_frames, fps, closed_loop
    ) -> io.NodeOutput:
        last = start_image if closed_loop else None
        return io.NodeOutput(
            *videocrafter_conditioning.image_to_video(
                positive, negative, clip_vision, vae, start_image, last, width, height, num_frames, fps
            )
        )


class InterpolateImages(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeInterpolateImages",
            display_name="Interpolate Images (DynamiCrafter)",
            category=CATEGORY,
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
                *_prompts(),
                *_encoders(),
                io.Image.Input(
                    "start_image",
                    tooltip="The first frame; its middle is cut out and resized to width x height.",
                ),
                io.Image.Input(
                    "end_image",
                    tooltip="The last frame, of the same scene; cut out and resized in the same way.",
                ),
                *_sizes(
                    5.0,
                    "Frames per second of the material: 5 to 30, as published 5; lower is faster movement.",
                ),
            ],
            outputs=[
                *_prompt_outputs(),
                io.Latent.Output("latent", display_name="latent", tooltip="Empty frames of this size."),
            ],
        )

    @classmethod
    def execute(
        cls, positive, negative, clip_vision, vae, start_image, end_image, width, height, num_frames, fps
    ) -> io.NodeOutput:
        return io.NodeOutput(
            *videocrafter_conditioning.image_to_video(
                positive, negative, clip_vision, vae, start_image, end_image, width, height, num_frames, fps
            )
        )


class CreateDDIMSampler(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeCreateDDIMSampler",
            display_name="DDIM Sampler (exact)",
            category=CATEGORY,
            description=(
                "DDIM with eta as VideoCrafter and DynamiCrafter are sampled, exact for their scaled noise"
                " schedules."
            ),
            search_aliases=[
                "ddim",
                "eta",
                "videocrafter sampler",
                "dynamicrafter sampler",
                "ancestral",
                "samplercustom",
                "采样器",
            ],
            inputs=[
                io.Float.Input(
                    "eta",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip=(
                        "How much new noise every step adds, a factor: 1 = as published, 0 = none, the same"
                        " as ComfyUI's ddim."
                    ),
                ),
                io.Boolean.Input(
                    "reference_end",
                    default=True,
                    tooltip=(
                        "Whether the last step ends as in the published code, which leaves a trace of noise"
                        " and for DynamiCrafter 1 to 3 % less contrast; off = at the denoised latents, as"
                        " ComfyUI's samplers do."
                    ),
                ),
            ],
            outputs=[
                io.Sampler.Output(
                    "SAMPLER", tooltip="Goes into SamplerCustom, with the sigmas of DDIM Sigmas."
                )
            ],
        )

    @classmethod
    def execute(cls, eta, reference_end) -> io.NodeOutput:
        return io.NodeOutput(scaled_sampling.reference_ddim(eta, reference_end))


class CreateDDIMSigmas(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeCreateDDIMSigmas",
            display_name="DDIM Sigmas",
            category=CATEGORY,
            description=(
                "The noise levels at which VideoCrafter and DynamiCrafter are sampled in the published code."
            ),
            search_aliases=[
                "ddim timesteps",
                "uniform_trailing",
                "trailing",
                "timestep spacing",
                "scheduler",
                "sigmas",
                "调度器",
            ],
            inputs=[
                io.Model.Input(
                    "model", tooltip="The MODEL that will be sampled; its noise schedule decides."
                ),
                io.Combo.Input(
                    "spacing",
                    options=list(DDIM_SPACINGS),
                    default="uniform",
                    tooltip=(
                        "uniform = VideoCrafter and DynamiCrafter 256; uniform_trailing = DynamiCrafter 512"
                        " and 1024, which must begin at the very last timestep."
                    ),
                ),
                io.Int.Input(
                    "steps", default=50, min=1, max=1000, tooltip="Sampling steps; 50 as published."
                ),
                io.Float.Input(
                    "denoise",
                    default=1.0,
                    min=0.01,
                    max=1.0,
                    step=0.01,
                    advanced=True,
                    tooltip=(
                        "Part of the noise schedule that is run: 1 = all of it, 0.6 = the last 60 % for"
                        " latents of an existing video."
                    ),
                ),
            ],
            outputs=[io.Sigmas.Output("SIGMAS", tooltip="Goes into SamplerCustom, with DDIM Sampler.")],
        )

    @classmethod
    def execute(cls, model, spacing, steps, denoise) -> io.NodeOutput:
        return io.NodeOutput(scaled_sampling.ddim_sigmas(model, spacing, steps, denoise))


class RescaleGuidance(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeRescaleGuidance",
            display_name="Rescale Guidance (video)",
            category=CATEGORY,
            description=(
                "Takes back part of the contrast that a high cfg adds, measured over all frames together."
            ),
            search_aliases=[
                "guidance rescale",
                "rescale cfg",
                "RescaleCFG",
                "dynamicrafter",
                "overexposed",
                "zero terminal snr",
                "引导重缩放",
                "过曝",
            ],
            inputs=[
                io.Model.Input("model", tooltip="A video MODEL, for example DynamiCrafter."),
                io.Float.Input(
                    "rescale",
                    default=0.7,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip=(
                        "How much of the contrast is taken back, a factor: 0 = off, 0.7 = as published for"
                        " DynamiCrafter 512 and 1024."
                    ),
                ),
            ],
            outputs=[io.Model.Output("MODEL", tooltip="Goes into any sampler with cfg above 1.")],
        )

    @classmethod
    def execute(cls, model, rescale) -> io.NodeOutput:
        return io.NodeOutput(scaled_sampling.with_guidance_rescale(model, rescale))


class SetNoiseScale(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeSetNoiseScale",
            display_name="Set Noise Scale (VideoCrafter)",
            category=CATEGORY,
            description=(
                "Sets the scale that VideoCrafter's and DynamiCrafter's noise schedules fall to, for files"
                " that lost it."
            ),
            search_aliases=[
                "scale_arr",
                "base_scale",
                "dynamic rescale",
                "use_scale",
                "dynamicrafter",
                "videocrafter",
                "pruned",
                "噪声缩放",
            ],
            inputs=[
                io.Model.Input(
                    "model", tooltip="A VideoCrafter or DynamiCrafter MODEL from Load Video Model."
                ),
                io.Float.Input(
                    "base_scale",
                    default=0.3,
                    min=0.01,
                    max=1.0,
                    step=0.01,
                    tooltip=(
                        "Scale of the signal at high noise, a factor: 0.3 = DynamiCrafter 1024 and"
                        " VideoCrafter1 1024, 0.7 = DynamiCrafter 512 and VideoCrafter2, 1 = no scaling."
                    ),
                ),
            ],
            outputs=[io.Model.Output("MODEL", tooltip="Goes into any sampler and into DDIM Sigmas.")],
        )

    @classmethod
    def execute(cls, model, base_scale) -> io.NodeOutput:
        return io.NodeOutput(with_noise_scale(model, base_scale))


NODES = [
    SetFrameRate,
    AnimateImage,
    InterpolateImages,
    CreateDDIMSampler,
    CreateDDIMSigmas,
    RescaleGuidance,
    SetNoiseScale,
]
