"""FreeNoise: start noise that comes again in another order."""

from __future__ import annotations

from comfy_api.latest import io

from ...samplers.freenoise import FreeNoise, FreeNoiseSettings
from ..base import ZoetropeNode
from ..videos_in_batch import frames_per_video


class RearrangeNoise(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeRearrangeNoise",
            display_name="FreeNoise",
            category="Zoetrope/Sampling",
            description=(
                "Lets distant frames of a long video start from the same noise in another order, which keeps"
                " the content together."
            ),
            search_aliases=[
                "free noise",
                "freenoise",
                "noise rescheduling",
                "shuffle noise",
                "long video",
                "temporal consistency",
                "噪声重排",
                "长视频",
                "时间一致性",
            ],
            inputs=[
                io.Noise.Input("noise", tooltip="Any NOISE, such as RandomNoise or Noise per Frame."),
                io.Int.Input(
                    "window_length",
                    default=16,
                    min=1,
                    max=4096,
                    tooltip=(
                        "Frames after which the noise comes again, in another order: the frames of a window."
                        " 16 as published."
                    ),
                ),
                io.Int.Input(
                    "stride",
                    default=4,
                    min=1,
                    max=4096,
                    tooltip=(
                        "Frames that change places with each other, at most window_length. 4 as published;"
                        " 1 = the same order again."
                    ),
                ),
                frames_per_video(
                    "Frames of one video when a batch holds several one after another; 0 = all frames are one"
                    " video."
                ),
            ],
            outputs=[io.Noise.Output("NOISE", tooltip="Goes into SamplerCustomAdvanced.")],
        )

    @classmethod
    def execute(cls, noise, **settings) -> io.NodeOutput:
        return io.NodeOutput(FreeNoise(noise, FreeNoiseSettings(**settings)))
