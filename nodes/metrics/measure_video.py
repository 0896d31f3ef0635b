"""Measure Video: scores of a clip, or of a clip against a reference."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.measuring.measure import Instruments, measure_clip
from ...host.measuring.tables import as_text
from ..base import ZoetropeNode
from .inputs import Scores, clip_instruments, metrics_input


class MeasureVideo(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeMeasureVideo",
            display_name="Measure Video",
            category="Zoetrope/Metrics",
            description=(
                "Says in numbers how good a clip is: how steady, how lively, how well it fits a text,"
                " how close it is to a reference."
            ),
            search_aliases=[
                "psnr",
                "ssim",
                "clip score",
                "vbench",
                "quality metrics",
                "temporal consistency",
                "warping error",
                "aesthetic score",
                "评估",
                "指标",
                "画质",
            ],
            inputs=[
                io.Image.Input("images", tooltip="The frames of one clip."),
                metrics_input(
                    "all that can be measured with what is wired",
                    "psnr, ssim, flicker, warping_error, dynamic_degree, clip_consistency, clip_adjacent,"
                    " subject_consistency, background_consistency, clip_similarity, clip_score, aesthetic",
                ),
                io.Float.Input(
                    "fps",
                    display_name="fps (0 = not known)",
                    default=0.0,
                    min=0.0,
                    max=240.0,
                    step=0.01,
                    tooltip="Frames per second of the clip, which dynamic_degree goes by. 0 = not known.",
                ),
                io.Image.Input(
                    "reference",
                    optional=True,
                    tooltip="What the clip should look like, frame by frame, for psnr and ssim.",
                ),
                *clip_instruments(),
            ],
            outputs=[
                Scores.Output("SCORES", tooltip="Goes into Score Table and Score Curve."),
                io.String.Output("STRING", tooltip="A line for each number, with how it was measured."),
            ],
        )

    @classmethod
    def execute(cls, images, metrics, fps, reference=None, text="", **instruments) -> io.NodeOutput:
        given = Instruments(text=text or "", **instruments)
        scores = measure_clip(images, reference, fps, metrics, given)
        return io.NodeOutput(scores, as_text(["clip"], [scores]))
