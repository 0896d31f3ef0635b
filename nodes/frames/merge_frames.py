"""Merge Frames: one clip after the other."""

from __future__ import annotations

from comfy_api.latest import io

from ...frame_tools import batches
from ..base import ZoetropeNode
from .inputs import FRAMES, any_frames, num_frames


class MergeFrames(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        kind = any_frames()
        return io.Schema(
            node_id="ZoetropeMergeFrames",
            display_name="Merge Frames",
            category="Zoetrope/Frames",
            description="Puts one clip after the other, with a cross-fade between them if wanted.",
            search_aliases=[
                "vhs",
                "merge images",
                "merge latents",
                "merge masks",
                "crossfade",
                "cross-fade",
                "transition",
                "join clips",
                "concatenate",
                "append",
                "combine clips",
                "合并",
                "拼接",
                "转场",
            ],
            inputs=[
                io.MatchType.Input("first", template=kind, tooltip=f"{FRAMES}: what comes first."),
                io.MatchType.Input(
                    "second", template=kind, tooltip="What comes after it; the same kind and size."
                ),
                io.Int.Input(
                    "crossfade",
                    default=0,
                    min=0,
                    max=1000000,
                    tooltip=(
                        "Frames over which the end of the first turns into the beginning of the second; the"
                        " result is shorter by as many. 0 = a cut."
                    ),
                ),
            ],
            outputs=[
                io.MatchType.Output(kind, display_name="frames", tooltip="Both clips as one."),
                num_frames("How many frames they have together."),
            ],
        )

    @classmethod
    def execute(cls, first, second, crossfade) -> io.NodeOutput:
        joined = batches.join_frames(first, second, crossfade)
        return io.NodeOutput(joined, batches.count_frames(joined))
