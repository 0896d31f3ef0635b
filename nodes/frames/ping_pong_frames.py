"""Ping-Pong Frames: a clip forwards and backwards."""

from __future__ import annotations

from comfy_api.latest import io

from ...frame_tools import batches
from ...frame_tools.selection import ping_pong
from ..base import ZoetropeNode
from .inputs import FRAMES, any_frames, num_frames


class PingPongFrames(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        kind = any_frames()
        return io.Schema(
            node_id="ZoetropePingPongFrames",
            display_name="Ping-Pong Frames",
            category="Zoetrope/Frames",
            description="Makes a clip run forwards and then backwards, so that it loops without a jump.",
            search_aliases=[
                "pingpong",
                "boomerang",
                "bounce",
                "loop",
                "vhs",
                "forward and backward",
                "seamless loop",
                "循环",
                "来回播放",
                "无缝循环",
            ],
            inputs=[
                io.MatchType.Input("frames", template=kind, tooltip=f"{FRAMES}: the clip."),
                io.Boolean.Input(
                    "repeat_ends",
                    default=False,
                    tooltip=(
                        "Whether the last and the first frame are shown twice in a row at the turns. Off ="
                        " not, which is smooth in a player's loop."
                    ),
                ),
            ],
            outputs=[
                io.MatchType.Output(kind, display_name="frames", tooltip="The clip forwards and backwards."),
                num_frames("How many frames it has now."),
            ],
        )

    @classmethod
    def execute(cls, frames, repeat_ends) -> io.NodeOutput:
        numbers = ping_pong(batches.count_frames(frames), repeat_ends)
        return io.NodeOutput(batches.take_frames(frames, numbers), len(numbers))
