"""ControlNet over Time: its strength over frames, places, steps and layers."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.controlnets.over_time import OverTimeSettings, over_time
from ..animatediff.inputs import FrameValues
from ..base import ZoetropeNode
from ..videos_in_batch import frames_per_video


class ControlNetOverTime(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeControlNetOverTime",
            display_name="ControlNet over Time",
            category="Zoetrope/ControlNet",
            description=(
                "Makes the strength of a ControlNet or T2I-Adapter differ from frame to frame, from place to"
                " place, from step to step and from layer to layer."
            ),
            search_aliases=[
                "advanced controlnet",
                "ACN",
                "scaled soft weights",
                "soft controlnet weights",
                "timestep keyframe",
                "latent keyframe",
                "controlnet mask",
                "my prompt is more important",
                "controlnet is more important",
                "t2i adapter",
                "controlnet strength per frame",
                "ControlNet 强度",
                "逐帧强度",
                "软权重",
                "关键帧",
            ],
            inputs=_inputs(),
            outputs=[io.ControlNet.Output("CONTROL_NET", tooltip="Goes into Apply ControlNet.")],
        )

    @classmethod
    def execute(cls, control_net, **settings) -> io.NodeOutput:
        return io.NodeOutput(over_time(control_net, OverTimeSettings(**settings)))


def _inputs() -> list[io.Input]:
    return [
        io.ControlNet.Input(
            "control_net", tooltip="From Load ControlNet Model, Load SparseCtrl Model or another of these."
        ),
        io.MultiType.Input(
            io.Float.Input(
                "strength",
                default=1.0,
                min=0.0,
                max=10.0,
                step=0.01,
                tooltip=(
                    "A factor of the strength of Apply ControlNet: 1 = as set there, 0 = off. Vary Value"
                    " makes it differ over frames, places and steps; where it is 0 for all frames of a call,"
                    " the ControlNet does not run."
                ),
            ),
            [FrameValues],
        ),
        io.Float.Input(
            "soft_weights",
            default=1.0,
            min=0.0,
            max=1.0,
            step=0.001,
            tooltip=(
                "The weight of each layer is this many times that of the deeper one, so that fine detail"
                " follows the ControlNet less than composition: 0.825 = my prompt is more important, 1 = all"
                " layers alike."
            ),
        ),
        io.Boolean.Input(
            "flip_weights",
            default=False,
            advanced=True,
            tooltip="Soft weights the other way round: fine detail follows most, composition least.",
        ),
        io.Float.Input(
            "negative_strength",
            default=1.0,
            min=0.0,
            max=1.0,
            step=0.01,
            advanced=True,
            tooltip=(
                "A factor for the negative prompt alone: 1 = as the positive one, 0 = not at all; 0 and soft"
                " weights are what is known as: ControlNet is more important."
            ),
        ),
        frames_per_video(
            "Frames of one video where the latent holds several: each gets the same values. 0 = the whole"
            " batch is one video."
        ),
    ]
