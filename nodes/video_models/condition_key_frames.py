"""Condition On Key Frames: conditioning for LaVie's and Show-1's interpolation."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.video_models.key_frames import condition_on_key_frames
from ..base import ZoetropeNode
from .inputs import conditioning_outputs


class ConditionKeyFrames(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeConditionKeyFrames",
            display_name="Condition On Key Frames",
            category="Zoetrope/Video models",
            description=(
                "Gives the frames of a video to LaVie's or Show-1's interpolation network, which makes three"
                " frames between each two."
            ),
            search_aliases=[
                "lavie interpolation",
                "show-1 interpolation",
                "frame interpolation",
                "in-between",
                "61 frames",
                "关键帧",
                "补帧",
                "插帧",
            ],
            inputs=[
                io.Conditioning.Input(
                    "positive", tooltip="What the video shows, the prompt it was made with."
                ),
                io.Conditioning.Input("negative", tooltip="What it does not show."),
                io.Vae.Input(
                    "vae", tooltip="The VAE of SD1.x for LaVie, Load VAE with pixel_space for Show-1."
                ),
                io.Image.Input(
                    "images",
                    tooltip="The key frames in order, at least 2; 16 as published for LaVie, 8 for Show-1.",
                ),
            ],
            outputs=conditioning_outputs("Empty, 4 x (key frames - 1) + 1 frames; goes into the sampler."),
        )

    @classmethod
    def execute(cls, positive, negative, vae, images) -> io.NodeOutput:
        return io.NodeOutput(*condition_on_key_frames(positive, negative, vae, images))
