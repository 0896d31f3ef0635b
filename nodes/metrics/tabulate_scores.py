"""Score Table: results side by side, as pictures, text and a file."""

from __future__ import annotations

from comfy_api.latest import io, ui

from ...host.measuring.tables import FILE_FORMATS, TableSettings, score_table
from ..base import ZoetropeNode
from ..file_prefix import prefix_input
from .inputs import score_inputs


class TabulateScores(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeTabulateScores",
            display_name="Score Table",
            category="Zoetrope/Metrics",
            description="Puts results side by side in a table and bars, and writes a CSV or JSON file.",
            search_aliases=[
                "results",
                "csv",
                "json",
                "export metrics",
                "leaderboard",
                "bar chart",
                "表格",
                "导出指标",
            ],
            inputs=[
                *score_inputs("From Measure Video or Measure Set; a new socket appears as you wire one."),
                io.Combo.Input(
                    "file_format",
                    options=list(FILE_FORMATS),
                    default="csv",
                    tooltip="csv for spreadsheets, json for programs, with the curves; none writes no file.",
                ),
                prefix_input("metrics/zoetrope"),
                io.Int.Input(
                    "width", default=960, min=256, max=4096, tooltip="Width of the pictures in pixels."
                ),
            ],
            outputs=[
                io.Image.Output(
                    "IMAGE",
                    display_name="table",
                    tooltip="The table; the best number of a row is blue, ! marks one with a warning.",
                ),
                io.Image.Output(
                    "BARS", display_name="bars", tooltip="Bars, each metric on a scale of its own."
                ),
                io.String.Output("STRING", tooltip="A line for each number, with how it was measured."),
            ],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, scores, labels, **settings) -> io.NodeOutput:
        *shown, said = score_table(list(scores.values()), labels, TableSettings(**settings))
        return io.NodeOutput(*shown, ui=ui.PreviewText(said))
