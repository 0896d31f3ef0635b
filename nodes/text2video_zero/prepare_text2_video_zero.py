"""Prepare Text2Video-Zero: all frames of a video out of its first one."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.sampling.text2video_zero import prepare_frames
from ...samplers.text2video_zero.renoising import PrepareSettings
from ..base import ZoetropeNode
from .inputs import MotionField, as_published


class PrepareText2VideoZero(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropePrepareText2VideoZero",
            display_name="Prepare Text2Video-Zero",
            category="Zoetrope/Text2Video-Zero",
            description=(
                "Begins one image, moves it along a motion field, and gives the latents of all frames with"
                " the sigmas that are left to sample."
            ),
            search_aliases=[
                "text2video-zero",
                "text to video zero",
                "t2v-zero",
                "zero-shot video",
                "motion dynamics",
                "warp latents",
                "video without motion module",
                "零样本视频",
                "文生视频",
            ],
            inputs=[*_sampler_inputs(), MotionField.Input("motion_field", tooltip=_FIELD), *_settings()],
            outputs=[
                io.Latent.Output(
                    "LATENT", tooltip="All frames; goes into SamplerCustomAdvanced with DisableNoise."
                ),
                io.Sigmas.Output("SIGMAS", tooltip="What is left of the sigmas; goes into the same sampler."),
            ],
        )

    @classmethod
    def execute(cls, noise, guider, sampler, sigmas, latent_image, motion_field, **settings) -> io.NodeOutput:
        settings = PrepareSettings(**settings)
        return io.NodeOutput(
            *prepare_frames(noise, guider, sampler, sigmas, latent_image, motion_field, settings)
        )


_FIELD = "How the frames move, from Motion Field or Motion Field from Video."


def _sampler_inputs() -> list[io.Input]:
    return [
        io.Noise.Input("noise", tooltip="From RandomNoise: the noise of the first frame and of all others."),
        io.Guider.Input(
            "guider", tooltip="From CFGGuider, with the MODEL of Cross-Frame Attention and the prompts."
        ),
        io.Sampler.Input("sampler", tooltip="From KSamplerSelect; ddim as published."),
        io.Sigmas.Input("sigmas", tooltip="All steps, from BasicScheduler; 50 of ddim_uniform as published."),
        io.Latent.Input(
            "latent_image",
            tooltip=(
                "The first frame: one empty latent, or one encoded image where the sigmas begin lower. Each"
                " further latent becomes a video of its own."
            ),
        ),
    ]


def _settings() -> list[io.Input]:
    """The fields of PrepareSettings."""
    return [
        io.Int.Input("num_frames", default=8, min=2, max=4096, tooltip="How many frames the video has."),
        io.Int.Input(
            "t1_step",
            default=2,
            min=1,
            max=10000,
            tooltip=(
                "The step after which all frames go on from here; 2 of 50 as published (t1 = 47, counted from"
                " the end)."
            ),
        ),
        io.Int.Input(
            "t0_step",
            default=5,
            min=1,
            max=10000,
            tooltip=(
                "The step to which the first frame is made before it is moved; 5 of 50 as published (t0 ="
                " 44). The further behind t1_step, the more things can change from frame to frame."
            ),
        ),
        as_published(),
    ]
