"""FreeInit: sampling again from noise that has the low frequencies of the video."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.sampling.freeinit import apply_freeinit
from ...samplers.freeinit import LOW_PASS_FILTERS, FreeInitSettings
from ..base import ZoetropeNode
from ..videos_in_batch import frames_per_video


class ApplyFreeInit(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeApplyFreeInit",
            display_name="FreeInit",
            category="Zoetrope/Sampling",
            description=(
                "Samples a video several times, each time from noise that has the slow and coarse part of the"
                " last, for steadier motion and looks."
            ),
            search_aliases=[
                "free init",
                "iterations",
                "iteration options",
                "initial noise",
                "low frequency noise",
                "temporal consistency",
                "flicker",
                "animatediff evolved",
                "噪声重新初始化",
                "迭代采样",
                "时间一致性",
            ],
            inputs=[
                io.Model.Input("model", tooltip="Any MODEL whose frames are the batch or 5-D video latents."),
                *_inputs(),
            ],
            outputs=[io.Model.Output("MODEL", tooltip="Goes into any sampler.")],
        )

    @classmethod
    def execute(cls, model, **settings) -> io.NodeOutput:
        return io.NodeOutput(apply_freeinit(model, FreeInitSettings(**settings)))


def _inputs() -> list[io.Input]:
    """The fields of FreeInitSettings."""
    return [
        io.Int.Input(
            "iterations",
            default=3,
            min=1,
            max=100,
            tooltip="How often the video is sampled, each time with all steps. 1 = no change; published: 5.",
        ),
        io.Combo.Input(
            "low_pass_filter",
            options=list(LOW_PASS_FILTERS),
            default="butterworth",
            tooltip=(
                "How the low frequencies are cut out: butterworth and gaussian smoothly, ideal and box hard."
            ),
        ),
        _cut_off(
            "d_s",
            "How much of the picture's coarse part is kept: cut-off over places, in parts of the highest"
            " frequency. 0.25 as published.",
        ),
        _cut_off(
            "d_t",
            "How much of the slow part of the motion is kept: cut-off over frames, in parts of the highest"
            " frequency. 0.25 as published.",
        ),
        io.Boolean.Input(
            "fewer_steps",
            default=False,
            tooltip=(
                "Iteration i of n has only i/n of the steps, the last has all: faster, a little less even."
                " Off = all steps each time."
            ),
        ),
        frames_per_video(
            "Frames of one video when a batch holds several one after another; 0 = all frames are one video,"
            " or as Context Windows says."
        ),
    ]


def _cut_off(name: str, tooltip: str) -> io.Float.Input:
    return io.Float.Input(name, default=0.25, min=0.01, max=1.0, step=0.01, tooltip=tooltip)
