"""Choose Threshold by Votes: the kept share of the data whose model people prefer."""

from __future__ import annotations

from comfy_api.latest import io, ui

from ...votes.choice import EQUALS, choose_share
from ..base import ZoetropeNode
from .inputs import Ratings


class ChooseThreshold(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeChooseThreshold",
            display_name="Choose Threshold by Votes",
            category="Zoetrope/Metrics",
            description=(
                "Chooses how much of the data to keep: the share whose model people prefer, as Stable Video"
                " Diffusion did."
            ),
            search_aliases=[
                "data curation",
                "subset",
                "keep percent",
                "filter threshold",
                "human preference",
                "阈值",
                "数据筛选",
            ],
            inputs=[
                Ratings.Input(
                    "ratings", tooltip="From Rate Candidates; a candidate is a model of one kept share."
                ),
                io.Combo.Input(
                    "between_equals",
                    options=list(EQUALS),
                    default=EQUALS[0],
                    tooltip=(
                        "What is taken where the votes cannot tell candidates from the best one: the highest"
                        " rating, or the most data."
                    ),
                ),
                io.String.Input(
                    "shares",
                    default="",
                    tooltip=(
                        "Kept share of each candidate in percent, with commas, in the order of the table."
                        " Empty = the numbers in their names, as keep12.5."
                    ),
                ),
            ],
            outputs=[
                io.Float.Output(
                    "FLOAT", display_name="percent", tooltip="The chosen share in percent, 0 to 100."
                ),
                io.String.Output("STRING", tooltip="Why it was chosen, and how far the others are."),
            ],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, ratings, shares, between_equals) -> io.NodeOutput:
        percent, why = choose_share(ratings, shares, between_equals)
        return io.NodeOutput(percent, why, ui=ui.PreviewText(why))
