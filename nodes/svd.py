"""Nodes for Stable Video Diffusion and SV3D, and guidance that differs from frame to frame."""

from __future__ import annotations

from comfy_api.latest import io

from ..host.sampling.frame_guidance import set_frame_guidance
from ..host.video_models import svd_conditioning
from ..samplers.frame_guidance import GUIDANCE_SHAPES, WAVE_FUSINGS, ShapeSettings, read_periods
from ..samplers.orbits import ORBITS
from .base import ZoetropeNode

CATEGORY = "Zoetrope/Video models"
MAX_SEED = 0xFFFFFFFFFFFFFFFF


def _encoders() -> list:
    return [
        io.ClipVision.Input(
            "clip_vision", tooltip="CLIP ViT-H: the CLIP_VISION of Load Video Model or CLIP-ViT-H-14."
        ),
        io.Vae.Input("vae", tooltip="The VAE of Load Video Model, or of an SD1.x or SD2.x checkpoint."),
    ]


def _sizes(width: int, height: int, num_frames: int, frames_tooltip: str) -> list:
    return [
        io.Int.Input(
            "width",
            default=width,
            min=16,
            max=8192,
            step=8,
            tooltip="Width of the video in pixels, a multiple of 8.",
        ),
        io.Int.Input(
            "height",
            default=height,
            min=16,
            max=8192,
            step=8,
            tooltip="Height of the video in pixels, a multiple of 8.",
        ),
        io.Int.Input("num_frames", default=num_frames, min=1, max=4096, tooltip=frames_tooltip),
    ]


def _motion() -> list:
    return [
        io.Int.Input(
            "motion_bucket_id",
            default=127,
            min=0,
            max=1023,
            tooltip=(
                "How much moves, on the scale that the network was trained with: 1 to 255, 127 as published,"
                " higher = more."
            ),
        ),
        io.Int.Input(
            "fps",
            default=6,
            min=1,
            max=240,
            tooltip=(
                "Frames per second that the network is told: 6 as published, 5 to 30 trained; lower = larger"
                " steps between frames."
            ),
        ),
    ]


def _noise() -> list:
    return [
        io.Float.Input(
            "augmentation",
            default=0.02,
            min=0.0,
            max=10.0,
            step=0.01,
            tooltip=(
                "Noise added to the image, in standard deviations of its range -1..1: 0.02 as published, 0 ="
                " none, more = further from the image."
            ),
        ),
        io.Int.Input(
            "seed",
            default=0,
            min=0,
            max=MAX_SEED,
            control_after_generate=True,
            tooltip="Seed of the noise that is added to the image.",
        ),
    ]


def _outputs() -> list:
    return [
        io.Conditioning.Output(
            "positive", display_name="positive", tooltip="Goes into the sampler's positive input."
        ),
        io.Conditioning.Output(
            "negative", display_name="negative", tooltip="Goes into the sampler's negative input."
        ),
        io.Latent.Output("latent", display_name="latent", tooltip="Empty frames of this size."),
    ]


class AnimateImageSVD(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeAnimateImageSVD",
            display_name="Animate Image (SVD)",
            category=CATEGORY,
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
                *_encoders(),
                io.Image.Input(
                    "start_image",
                    tooltip="The first frame; its middle is cut out and resized to width x height.",
                ),
                *_sizes(
                    1024,
                    576,
                    14,
                    "Frames of the video: SVD was trained with 14, XT with 25; more run, best with Context"
                    " Windows.",
                ),
                *_motion(),
                *_noise(),
            ],
            outputs=_outputs(),
        )

    @classmethod
    def execute(
        cls,
        clip_vision,
        vae,
        start_image,
        width,
        height,
        num_frames,
        motion_bucket_id,
        fps,
        augmentation,
        seed,
    ) -> io.NodeOutput:
        return io.NodeOutput(
            *svd_conditioning.image_to_video(
                clip_vision,
                vae,
                start_image,
                width,
                height,
                num_frames,
                motion_bucket_id,
                fps,
                augmentation,
                seed,
            )
        )


class InterpolateImagesSVD(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeInterpolateImagesSVD",
            display_name="Interpolate Images (SVD)",
            category=CATEGORY,
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
                    1024,
                    576,
                    5,
                    "Frames of the video with both images, at least 3: 5 as in the paper, three between the"
                    " two.",
                ),
                *_motion(),
                *_noise(),
            ],
            outputs=_outputs(),
        )

    @classmethod
    def execute(
        cls,
        clip_vision,
        vae,
        start_image,
        end_image,
        width,
        height,
        num_frames,
        motion_bucket_id,
        fps,
        augmentation,
        seed,
    ) -> io.NodeOutput:
        return io.NodeOutput(
            *svd_conditioning.interpolation(
                clip_vision,
                vae,
                start_image,
                end_image,
                width,
                height,
                num_frames,
                motion_bucket_id,
                fps,
                augmentation,
                seed,
            )
        )


class AnimateTextSVD(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeAnimateTextSVD",
            display_name="Animate Text (SVD)",
            category=CATEGORY,
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
                *_sizes(
                    576,
                    320,
                    14,
                    "Frames of the video: as many as the weights were trained with, 14 in the paper.",
                ),
                *_motion(),
            ],
            outputs=_outputs(),
        )

    @classmethod
    def execute(cls, positive, negative, width, height, num_frames, motion_bucket_id, fps) -> io.NodeOutput:
        return io.NodeOutput(
            *svd_conditioning.text_to_video(
                positive, negative, width, height, num_frames, motion_bucket_id, fps
            )
        )


class SetOrbit(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeSetOrbit",
            display_name="Set Orbit (SV3D)",
            category=CATEGORY,
            description=(
                "Makes views all around the thing in an image, with SV3D_u or along a camera path with"
                " SV3D_p."
            ),
            search_aliases=[
                "sv3d",
                "sv3d_conditioning",
                "orbit",
                "multi-view",
                "3d",
                "turntable",
                "camera",
                "zero123",
                "环绕",
                "多视角",
                "转台",
            ],
            inputs=[
                *_encoders(),
                io.Image.Input(
                    "image",
                    tooltip="The thing on white; its middle is cut out and resized to width x height.",
                ),
                *_sizes(576, 576, 21, "Views of the orbit: 21 as trained; the last one is the image's."),
                io.Combo.Input(
                    "orbit",
                    options=list(ORBITS),
                    tooltip=(
                        "SV3D_p: static = level circle at equal angles, sine = it rises and falls once,"
                        " dynamic = random rise and fall at uneven angles. SV3D_u always makes a static"
                        " orbit."
                    ),
                ),
                io.Float.Input(
                    "elevation",
                    default=10.0,
                    min=-90.0,
                    max=90.0,
                    step=0.1,
                    tooltip=(
                        "SV3D_p: how far above the thing the image was taken, in degrees: 0 = level with it,"
                        " 10 as published."
                    ),
                ),
                io.Float.Input(
                    "elevation_swing",
                    default=20.0,
                    min=0.0,
                    max=90.0,
                    step=0.1,
                    tooltip="How far sine and dynamic orbits rise and fall, in degrees; 0 = not at all.",
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=MAX_SEED,
                    control_after_generate=True,
                    tooltip="Seed of a dynamic orbit and of the trace of noise that is added to the image.",
                ),
            ],
            outputs=_outputs(),
        )

    @classmethod
    def execute(
        cls, clip_vision, vae, image, width, height, num_frames, orbit, elevation, elevation_swing, seed
    ) -> io.NodeOutput:
        return io.NodeOutput(
            *svd_conditioning.orbit(
                clip_vision, vae, image, width, height, num_frames, orbit, elevation, elevation_swing, seed
            )
        )


class SetFrameGuidance(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeSetFrameGuidance",
            display_name="Guidance over Frames",
            category="Zoetrope/Sampling",
            description=(
                "Guides every frame of a video by another cfg, between a least value and the sampler's."
            ),
            search_aliases=[
                "svd",
                "linear cfg",
                "triangle cfg",
                "trapezoid",
                "videolinearcfgguidance",
                "videotrianglecfgguidance",
                "cfg",
                "逐帧引导",
            ],
            inputs=[
                io.Model.Input(
                    "model",
                    tooltip=(
                        "Any MODEL whose frames are the batch or the time axis, such as Stable Video"
                        " Diffusion."
                    ),
                ),
                io.Combo.Input(
                    "shape",
                    options=list(GUIDANCE_SHAPES),
                    tooltip=(
                        "linear = rises to the last frame (SVD), triangle = highest in the middle (SV3D),"
                        " trapezoid = lower at both ends, multi_period = several triangle waves in one."
                    ),
                ),
                io.Float.Input(
                    "min_cfg",
                    default=1.0,
                    min=0.0,
                    max=100.0,
                    step=0.1,
                    tooltip=(
                        "The least cfg; the largest is the sampler's. 1 as published for SVD, equal to the"
                        " sampler's cfg = no shape."
                    ),
                ),
                io.Float.Input(
                    "edge",
                    default=0.1,
                    min=0.0,
                    max=0.5,
                    step=0.01,
                    tooltip=(
                        "trapezoid: part of the clip at each end on which cfg rises or falls; 0.1 = a tenth,"
                        " 0 = none."
                    ),
                ),
                io.String.Input(
                    "periods",
                    default="1, 0.5",
                    tooltip=(
                        "multi_period: lengths of the waves as parts of the clip, with commas between them; 1"
                        " = one over all of it."
                    ),
                ),
                io.Combo.Input(
                    "period_fusing",
                    options=list(WAVE_FUSINGS),
                    tooltip="multi_period: how the waves become one value.",
                ),
            ],
            outputs=[io.Model.Output("MODEL", tooltip="Goes into any sampler.")],
        )

    @classmethod
    def execute(cls, model, shape, min_cfg, edge, periods, period_fusing) -> io.NodeOutput:
        return io.NodeOutput(
            set_frame_guidance(
                model, shape, min_cfg, ShapeSettings(edge, read_periods(periods), period_fusing)
            )
        )


NODES = [AnimateImageSVD, InterpolateImagesSVD, AnimateTextSVD, SetOrbit, SetFrameGuidance]
