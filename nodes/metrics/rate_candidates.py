"""Rate Candidates: ratings from the votes of people."""

from __future__ import annotations

from comfy_api.latest import io, ui

from ...host.voting.rating_table import RateSettings, book_state, rated
from ...host.voting.sessions import list_books, missing_book_message
from ..base import ZoetropeNode
from .inputs import Ratings


class RateCandidates(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeRateCandidates",
            display_name="Rate Candidates",
            category="Zoetrope/Metrics",
            description=(
                "Makes ratings of the votes of people on pairs of clips: Bradley-Terry and Elo, with"
                " intervals."
            ),
            search_aliases=[
                "elo",
                "bradley terry",
                "human evaluation",
                "preference",
                "arena",
                "leaderboard",
                "votes",
                "投票",
                "评级",
            ],
            inputs=[
                io.Combo.Input(
                    "votes",
                    options=list_books(),
                    tooltip=(
                        "A file of output/votes. Make one in the menu of ComfyUI: Zoetrope, Judge Clips in"
                        " Pairs; then press R."
                    ),
                ),
                io.Float.Input(
                    "elo_k",
                    default=4.0,
                    min=0.1,
                    max=128.0,
                    step=0.1,
                    tooltip="How far one vote moves an Elo rating at most. Bradley-Terry does not need it.",
                ),
                io.Int.Input(
                    "width", default=960, min=256, max=4096, tooltip="Width of the table in pixels."
                ),
            ],
            outputs=[
                io.Image.Output(
                    "IMAGE",
                    display_name="table",
                    tooltip="A column for each candidate; the highest rating is blue.",
                ),
                io.String.Output("STRING", tooltip="A line for each candidate, the best one first."),
                Ratings.Output("RATINGS", tooltip="Goes into Choose Threshold by Votes."),
            ],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, votes, **settings) -> io.NodeOutput:
        table, said, ratings = rated(votes, RateSettings(**settings))
        return io.NodeOutput(table, said, ratings, ui=ui.PreviewText(said))

    @classmethod
    def validate_inputs(cls, votes=None) -> bool | str:
        return missing_book_message(votes) or True

    @classmethod
    def fingerprint_inputs(cls, votes=None, **others) -> str:
        return book_state(votes)
