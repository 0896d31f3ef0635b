"""FIFO Sampler: frames queue up, each noisier than the one before, for videos of any length."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.sampling.fifo import FifoSampler
from ...samplers.fifo import FifoSettings
from ..base import ZoetropeNode
from ..videos_in_batch import frames_per_video


class CreateFifoSampler(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeCreateFifoSampler",
            display_name="FIFO Sampler",
            category="Zoetrope/Sampling",
            description=(
                "Samples videos of any length in the memory of a queue: each frame is noisier than the one"
                " before, the first leaves clean and noise joins behind."
            ),
            search_aliases=[
                "fifo diffusion",
                "fifo-diffusion",
                "infinite video",
                "endless video",
                "long video",
                "diagonal denoising",
                "lookahead denoising",
                "continue video",
                "无限视频",
                "长视频",
                "对角去噪",
            ],
            inputs=_inputs(),
            outputs=[
                io.Sampler.Output("SAMPLER", tooltip="Goes into SamplerCustom or SamplerCustomAdvanced.")
            ],
        )

    @classmethod
    def execute(cls, clip=None, **settings) -> io.NodeOutput:
        return io.NodeOutput(FifoSampler(FifoSettings(**settings), clip and clip["samples"]))


def _inputs() -> list[io.Input]:
    """The fields of FifoSettings, and a clip to begin with."""
    return [
        io.Int.Input(
            "context_length",
            default=16,
            min=1,
            max=4096,
            tooltip=(
                "Frames that the network sees together, 16 for AnimateDiff. The scheduler's steps must be at"
                " least as many, and a multiple of it (with lookahead: of its half); 64 as published."
            ),
        ),
        io.Boolean.Input(
            "lookahead",
            default=True,
            tooltip=(
                "Windows overlap by half, and each frame is computed with cleaner frames before it: better"
                " frames for twice the time. Off = windows do not overlap."
            ),
        ),
        io.Float.Input(
            "eta",
            default=0.0,
            min=0.0,
            max=1.0,
            step=0.05,
            tooltip="New noise at every step, in parts of DDPM's. 0 = none (DDIM); 1 as published.",
        ),
        frames_per_video(
            "Frames of one video when the latent holds several one after another; 0 = all frames are one"
            " video. They are made one after another."
        ),
        io.Latent.Input(
            "clip",
            optional=True,
            tooltip=(
                "A clip that the video begins with: its last context_length frames. Without it the first"
                " window is sampled."
            ),
        ),
    ]
