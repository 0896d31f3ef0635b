"""Extend Video: a clip goes on, window after window."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.sampling.extend_video import ExtendingSampler
from ...samplers.going_on import START, GoingOnSettings
from ..base import ZoetropeNode


class ExtendVideo(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeExtendVideo",
            display_name="Extend Video",
            category="Zoetrope/Sampling",
            description=(
                "Lets a clip go on for as long as wanted: new frames are sampled window after window, each"
                " seeing the last frames before it."
            ),
            search_aliases=[
                "continue video",
                "extend clip",
                "longer video",
                "autoregressive",
                "temporal outpainting",
                "endless video",
                "延长视频",
                "续写视频",
                "时间外推",
            ],
            inputs=_inputs(),
            outputs=[
                io.Sampler.Output(
                    "SAMPLER",
                    tooltip=(
                        "Goes into SamplerCustom or SamplerCustomAdvanced, whose latent has as many frames as"
                        " are wanted anew."
                    ),
                )
            ],
        )

    @classmethod
    def execute(cls, sampler, clip, **settings) -> io.NodeOutput:
        return io.NodeOutput(ExtendingSampler(sampler, clip["samples"], GoingOnSettings(**settings)))


def _inputs() -> list[io.Input]:
    """What makes a window, the clip, and the fields of GoingOnSettings."""
    return [
        io.Sampler.Input("sampler", tooltip="The SAMPLER that makes each window, any."),
        io.Latent.Input(
            "clip",
            tooltip=(
                "The clip that goes on, of any length: its last frames are seen. Encode a video with"
                " Video to Latents."
            ),
        ),
        io.Int.Input(
            "context_length",
            default=16,
            min=2,
            max=4096,
            tooltip="Frames that the network sees together, known and new ones. 16 for AnimateDiff.",
        ),
        io.Int.Input(
            "context_overlap",
            default=8,
            min=1,
            max=4095,
            tooltip=(
                "Known frames at the beginning of a window, smaller than context_length. 8 is usual;"
                " more continue the motion better and take longer."
            ),
        ),
        io.Float.Input(
            "known_noise",
            default=0.0,
            min=0.0,
            max=1.0,
            step=0.05,
            optional=True,
            advanced=True,
            tooltip=(
                "Noise in which the network sees the known frames, as a part of that of the new ones."
                " 0 = none; 1 = as much, as published."
            ),
        ),
        io.Float.Input(
            "start_noise",
            display_name="start_noise (0 = noise alone)",
            default=START,
            min=0.0,
            max=100.0,
            step=0.1,
            optional=True,
            advanced=True,
            tooltip=(
                "Noise over the last known frame that new frames begin as; larger pictures get more by"
                " themselves. Less moves less; 0 = noise alone, as published."
            ),
        ),
    ]
