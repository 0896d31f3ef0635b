"""Guidance over Frames: a cfg of its own for every frame."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.sampling.frame_guidance import set_frame_guidance
from ...samplers.frame_guidance import GUIDANCE_SHAPES, WAVE_FUSINGS, GuidanceSettings
from ..base import ZoetropeNode


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
                *_shape_inputs(),
            ],
            outputs=[io.Model.Output("MODEL", tooltip="Goes into any sampler.")],
        )

    @classmethod
    def execute(cls, model, **settings) -> io.NodeOutput:
        return io.NodeOutput(set_frame_guidance(model, GuidanceSettings(**settings)))


def _shape_inputs() -> list[io.Input]:
    """What single shapes look at."""
    return [
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
    ]
