"""Score Curve: one metric over frames, a curve for each clip."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.measuring.tables import CURVES, CurveSettings, score_curve
from ..base import ZoetropeNode
from .inputs import score_inputs


class PlotScores(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropePlotScores",
            display_name="Score Curve",
            category="Zoetrope/Metrics",
            description="Draws one metric over the frames, a curve for each clip.",
            search_aliases=["per frame", "curve", "graph", "psnr plot", "曲线", "逐帧"],
            inputs=[
                *score_inputs("Results of Measure Video; a new socket appears as you wire one."),
                io.Combo.Input(
                    "metric", options=list(CURVES), tooltip="The metric that is drawn; it must be measured."
                ),
                io.Int.Input("width", default=768, min=256, max=4096, tooltip="Width of the plot in pixels."),
                io.Int.Input(
                    "height", default=384, min=160, max=4096, tooltip="Height of the plot in pixels."
                ),
            ],
            outputs=[io.Image.Output("IMAGE", tooltip="The plot, one picture.")],
        )

    @classmethod
    def execute(cls, scores, labels, **settings) -> io.NodeOutput:
        return io.NodeOutput(score_curve(list(scores.values()), labels, CurveSettings(**settings)))
