"""Reverse Frames: a clip backwards."""

from __future__ import annotations

from comfy_api.latest import io

from ...frame_tools import batches
from ..base import ZoetropeNode
from .inputs import FRAMES, any_frames


class ReverseFrames(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        kind = any_frames()
        return io.Schema(
            node_id="ZoetropeReverseFrames",
            display_name="Reverse Frames",
            category="Zoetrope/Frames",
            description="Turns the order of the frames round, so that a clip runs backwards.",
            search_aliases=[
                "reverse images",
                "reverse latents",
                "reverse batch",
                "backwards",
                "flip time",
                "rewind",
                "倒放",
                "反转",
            ],
            inputs=[io.MatchType.Input("frames", template=kind, tooltip=f"{FRAMES}: the clip.")],
            outputs=[
                io.MatchType.Output(
                    kind, display_name="frames", tooltip="The same frames, the last one first."
                )
            ],
        )

    @classmethod
    def execute(cls, frames) -> io.NodeOutput:
        return io.NodeOutput(batches.take_frames(frames, list(range(batches.count_frames(frames)))[::-1]))
