"""Select Frames: frames by an expression of numbers and ranges."""

from __future__ import annotations

from comfy_api.latest import io

from ...frame_tools import batches
from ...frame_tools.selection import select_frames
from ..base import ZoetropeNode
from .inputs import FRAMES, any_frames, num_frames


class SelectFrames(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        kind = any_frames()
        return io.Schema(
            node_id="ZoetropeSelectFrames",
            display_name="Select Frames",
            category="Zoetrope/Frames",
            description="Picks frames out of images, latents or masks by an expression such as 0:16:2,-1.",
            search_aliases=[
                "vhs",
                "select every nth",
                "select latents",
                "select images",
                "select masks",
                "pick frames",
                "index string",
                "get frame",
                "last frame",
                "slice batch",
                "抽帧",
                "取帧",
                "最后一帧",
            ],
            inputs=[
                io.MatchType.Input("frames", template=kind, tooltip=f"{FRAMES}: the batch to pick from."),
                io.String.Input(
                    "selection",
                    default="::2",
                    tooltip=(
                        "Frame numbers from 0 and ranges start:end:step, separated by commas; negative"
                        " numbers count from the end. ::2 = every second frame, 0:16 = the first 16, -1 = the"
                        " last, : = all."
                    ),
                ),
            ],
            outputs=[
                io.MatchType.Output(
                    kind,
                    display_name="frames",
                    tooltip="The frames picked, in the order in which they are named.",
                ),
                num_frames("How many they are."),
            ],
        )

    @classmethod
    def execute(cls, frames, selection) -> io.NodeOutput:
        numbers = select_frames(selection, batches.count_frames(frames))
        return io.NodeOutput(batches.take_frames(frames, numbers), len(numbers))
