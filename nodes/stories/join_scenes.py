"""Join Scenes: the fades of a storyboard."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.stories.joining import join_scenes
from ..base import ZoetropeNode
from .inputs import storyboard


class JoinScenes(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeJoinScenes",
            display_name="Join Scenes",
            category="Zoetrope/Stories",
            description="Fades the end of a scene into the beginning of the next, as the storyboard says.",
            search_aliases=["cross fade", "crossfade", "dissolve", "transition", "story", "转场", "淡入淡出"],
            inputs=[
                io.Image.Input("images", tooltip="All frames of the storyboard, from one run."),
                storyboard("From Storyboard."),
            ],
            outputs=[io.Image.Output("IMAGE", tooltip="The finished video: shorter by the frames of fades.")],
        )

    @classmethod
    def execute(cls, images, storyboard) -> io.NodeOutput:
        return io.NodeOutput(join_scenes(images, storyboard))
