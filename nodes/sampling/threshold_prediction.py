"""Dynamic Thresholding: values that strong guidance drives out of range come back into it."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.sampling.dynamic_thresholding import ThresholdSettings, threshold_model
from ..base import ZoetropeNode


class ThresholdPrediction(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeThresholdPrediction",
            display_name="Dynamic Thresholding",
            category="Zoetrope/Sampling",
            description=(
                "Brings what a high cfg drives out of range back into it, in every frame and at every step."
            ),
            search_aliases=[
                "imagen",
                "cfg scale fix",
                "oversaturated",
                "burnt",
                "clip",
                "static thresholding",
                "high cfg",
                "动态阈值",
                "过饱和",
            ],
            inputs=[
                io.Model.Input("model", tooltip="Any MODEL: one that works on pixels, or on latents."),
                io.Float.Input(
                    "percentile",
                    default=99.5,
                    min=50.0,
                    max=100.0,
                    step=0.1,
                    tooltip=(
                        "Which part of a frame's values, in percent, has to be in range. 99.5 as published"
                        " for Imagen, 95 for DeepFloyd IF; lower is stronger."
                    ),
                ),
                io.Float.Input(
                    "largest",
                    default=100.0,
                    min=1.0,
                    max=100.0,
                    step=0.1,
                    tooltip=(
                        "What is further out than this many times the range is cut off before the frame is"
                        " scaled. 100 = nothing, as published for Imagen; 1.5 for DeepFloyd IF; 1 = all of"
                        " it (static thresholding)."
                    ),
                ),
            ],
            outputs=[io.Model.Output("MODEL", tooltip="Goes into any sampler.")],
        )

    @classmethod
    def execute(cls, model, **settings) -> io.NodeOutput:
        return io.NodeOutput(threshold_model(model, ThresholdSettings(**settings)))
