"""Repeat Frames: a clip, or each of its frames, several times."""

from __future__ import annotations

from comfy_api.latest import io

from ...frame_tools import batches
from ..base import ZoetropeNode
from .inputs import FRAMES, any_frames, num_frames


class RepeatFrames(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        kind = any_frames()
        return io.Schema(
            node_id="ZoetropeRepeatFrames",
            display_name="Repeat Frames",
            category="Zoetrope/Frames",
            description="Repeats a clip, or every frame of it, for images, latents and masks.",
            search_aliases=[
                "vhs",
                "duplicate images",
                "duplicate latents",
                "duplicate masks",
                "loop clip",
                "hold frames",
                "slow motion",
                "循环",
                "重复",
                "慢动作",
            ],
            inputs=[
                io.MatchType.Input("frames", template=kind, tooltip=f"{FRAMES}: the clip."),
                io.Int.Input("times", default=2, min=1, max=10000, tooltip="How many times: 1 = as it is."),
                io.Boolean.Input(
                    "each_frame",
                    default=False,
                    tooltip=(
                        "Off = the whole clip is repeated (0 1 2 0 1 2); on = every frame is held (0 0 1 1 2"
                        " 2), which is slower."
                    ),
                ),
            ],
            outputs=[
                io.MatchType.Output(kind, display_name="frames", tooltip="The repeated clip."),
                num_frames("How many frames it has now."),
            ],
        )

    @classmethod
    def execute(cls, frames, times, each_frame) -> io.NodeOutput:
        repeated = batches.repeat_frames(frames, times, each_frame)
        return io.NodeOutput(repeated, batches.count_frames(repeated))
