"""Measure Set: scores of a set of clips, or of one set against another."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.measuring.measure import Instruments
from ...host.measuring.sets import measure_sets
from ...host.measuring.tables import as_text
from ..base import ZoetropeNode
from .inputs import MetricNetwork, Scores, VideoSet, clip_instruments, metrics_input


class MeasureSet(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeMeasureSet",
            display_name="Measure Set",
            category="Zoetrope/Metrics",
            description="Compares two sets of clips, by FVD, FID and means of what Measure Video measures.",
            search_aliases=[
                "fvd",
                "fid",
                "inception score",
                "frechet",
                "compare folders",
                "evaluate model",
                "数据集比较",
                "评估",
                "指标",
            ],
            inputs=[
                VideoSet.Input("a", tooltip="The set that is judged, for example generated clips."),
                metrics_input(
                    "all that can be measured with what is wired, movement only with"
                    " optical_flow, psnr and ssim only of single clips",
                    "fvd, fid, inception_score, and those of Measure Video",
                ),
                VideoSet.Input(
                    "b",
                    optional=True,
                    tooltip="What it is compared with, for example real clips; for fvd, fid, psnr and ssim.",
                ),
                MetricNetwork.Input(
                    "inception",
                    optional=True,
                    tooltip="Inception from Load Metric Network, for fid and inception_score.",
                ),
                MetricNetwork.Input("i3d", optional=True, tooltip="I3D from Load Metric Network, for fvd."),
                *clip_instruments(),
            ],
            outputs=[
                Scores.Output("SCORES", tooltip="Goes into Score Table."),
                io.String.Output("STRING", tooltip="A line for each number, with how it was measured."),
            ],
        )

    @classmethod
    def execute(cls, a, metrics, b=None, text="", **instruments) -> io.NodeOutput:
        scores = measure_sets(a, b, metrics, Instruments(text=text or "", **instruments))
        return io.NodeOutput(scores, as_text(["sets"], [scores]))
