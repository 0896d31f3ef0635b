"""Filter Clips: keeps the best share of each score, as Stable Video Diffusion's data was chosen."""

from __future__ import annotations

from comfy_api.latest import io

from ...curation.settings import Keep
from ...host.curation.choosing import filtered
from ..base import ZoetropeNode
from .inputs import clips_input, clips_output, told_output

BEST = {"best_motion": "motion_speed", "best_aesthetic": "aesthetic", "least_text": "text_area"}
"""Input -> score of which it keeps a share."""


class FilterClips(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeFilterClips",
            display_name="Filter Clips",
            category="Zoetrope/Curation",
            description=(
                "Keeps the clips that are among the best so many percent by every score, and drops still"
                " ones and near duplicates."
            ),
            search_aliases=[
                "threshold",
                "quality filter",
                "deduplicate",
                "curation",
                "dataset",
                "过滤",
                "去重",
            ],
            inputs=[
                clips_input("From Score Clips."),
                _percent(
                    "best_motion", "Keeps so many percent with the most motion, in picture heights a second."
                ),
                _percent("best_aesthetic", "Keeps so many percent with the best aesthetic score."),
                _percent("least_text", "Keeps so many percent with the least text."),
                io.Float.Input(
                    "still_below",
                    default=0.05,
                    min=0.0,
                    max=100.0,
                    step=0.01,
                    tooltip=(
                        "Clips in which less moves are dropped, in pixels a frame; needs motion in Score"
                        " Clips."
                    ),
                ),
                io.Float.Input(
                    "similar",
                    display_name="similar (0 = off)",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip=(
                        "Of clips that look more alike than this, the first one stays: 0.95 is usual. 0 ="
                        " off."
                    ),
                ),
                _percent("sample", "Keeps so many percent of what is left, always the same ones."),
            ],
            outputs=[
                clips_output(),
                told_output(),
                io.Image.Output(
                    "IMAGE", tooltip="Histograms: all clips, the kept ones in front, and the bounds."
                ),
            ],
        )

    @classmethod
    def execute(cls, clips, still_below, similar, sample, **percents) -> io.NodeOutput:
        best = {BEST[name]: percent for name, percent in percents.items() if percent < 100}
        keep = Keep(best, {"motion": still_below}, {}, similar, sample)
        found, histograms = filtered(clips, keep)
        return io.NodeOutput(found, found.told(), histograms)


def _percent(name: str, tooltip: str) -> io.Input:
    return io.Float.Input(name, default=100.0, min=0.1, max=100.0, step=0.1, tooltip=tooltip)
