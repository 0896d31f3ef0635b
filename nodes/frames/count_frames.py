"""Count Frames: number and size of frames."""

from __future__ import annotations

from comfy_api.latest import io, ui

from ...frame_tools import batches
from ..base import ZoetropeNode
from .inputs import FRAMES, num_frames


class CountFrames(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeCountFrames",
            display_name="Count Frames",
            category="Zoetrope/Frames",
            description="Says how many frames images, latents or masks have, and how large they are.",
            is_output_node=True,
            search_aliases=[
                "vhs",
                "get image count",
                "get latent count",
                "get mask count",
                "frame count",
                "batch size",
                "video length",
                "video info",
                "帧数",
            ],
            inputs=[
                io.MultiType.Input(
                    "frames", [io.Image, io.Latent, io.Mask], tooltip=f"{FRAMES}: what is counted."
                )
            ],
            outputs=[
                num_frames("How many frames; of latents, frames of latents."),
                io.Int.Output(
                    "width",
                    display_name="width",
                    tooltip="Their width in pixels; of latents, in latent cells.",
                ),
                io.Int.Output(
                    "height",
                    display_name="height",
                    tooltip="Their height in pixels; of latents, in latent cells.",
                ),
            ],
        )

    @classmethod
    def execute(cls, frames) -> io.NodeOutput:
        count, (height, width) = batches.count_frames(frames), batches.frame_size(frames)
        return io.NodeOutput(
            count,
            width,
            height,
            ui=ui.PreviewText(f"{batches.kind_of(frames)}: {count} frames of {width}x{height}"),
        )
