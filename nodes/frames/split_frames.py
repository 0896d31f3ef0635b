"""Split Frames: a batch cut in two."""

from __future__ import annotations

from comfy_api.latest import io

from ...frame_tools import batches
from ...frame_tools.selection import split_place
from ..base import ZoetropeNode
from .inputs import FRAMES, any_frames


class SplitFrames(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        kind = any_frames()
        return io.Schema(
            node_id="ZoetropeSplitFrames",
            display_name="Split Frames",
            category="Zoetrope/Frames",
            description="Cuts a batch of images, latents or masks in two.",
            search_aliases=[
                "vhs",
                "split batch",
                "split images",
                "split latents",
                "split masks",
                "cut clip",
                "拆分",
                "分割",
                "剪切",
            ],
            inputs=[
                io.MatchType.Input("frames", template=kind, tooltip=f"{FRAMES}: the batch to cut."),
                io.Int.Input(
                    "position",
                    default=16,
                    min=-1000000,
                    max=1000000,
                    tooltip=(
                        "How many frames the first part gets; negative: how many the second part gets. Both"
                        " parts must have one at least."
                    ),
                ),
            ],
            outputs=[
                io.MatchType.Output(
                    kind, id="first", display_name="first", tooltip="The frames before the cut."
                ),
                io.MatchType.Output(kind, id="second", display_name="second", tooltip="The frames after it."),
                io.Int.Output(
                    "num_first", display_name="num_first", tooltip="How many frames the first part has."
                ),
                io.Int.Output(
                    "num_second", display_name="num_second", tooltip="How many frames the second part has."
                ),
            ],
        )

    @classmethod
    def execute(cls, frames, position) -> io.NodeOutput:
        total = batches.count_frames(frames)
        place = split_place(position, total)
        parts = [batches.take_frames(frames, list(range(*ends))) for ends in ((0, place), (place, total))]
        return io.NodeOutput(*parts, place, total - place)
