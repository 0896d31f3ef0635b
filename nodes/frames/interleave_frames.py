"""Interleave Frames: frames of two clips in turn."""

from __future__ import annotations

from comfy_api.latest import io

from ...frame_tools import batches
from ..base import ZoetropeNode
from .inputs import FRAMES, any_frames, num_frames


class InterleaveFrames(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        kind = any_frames()
        return io.Schema(
            node_id="ZoetropeInterleaveFrames",
            display_name="Interleave Frames",
            category="Zoetrope/Frames",
            description="Takes a frame of one clip and a frame of the other in turn.",
            search_aliases=[
                "interleave images",
                "interleave latents",
                "alternate",
                "zip frames",
                "merge every other",
                "weave",
                "交错",
                "交替",
            ],
            inputs=[
                io.MatchType.Input(
                    "first", template=kind, tooltip=f"{FRAMES}: gives frames 0, 2, 4 and so on."
                ),
                io.MatchType.Input(
                    "second", template=kind, tooltip="Gives frames 1, 3, 5 and so on; the same kind and size."
                ),
            ],
            outputs=[
                io.MatchType.Output(
                    kind, display_name="frames", tooltip="Both in turn; the rest of the longer one follows."
                ),
                num_frames("How many frames they have together."),
            ],
        )

    @classmethod
    def execute(cls, first, second) -> io.NodeOutput:
        woven = batches.interleave_frames(first, second)
        return io.NodeOutput(woven, batches.count_frames(woven))
