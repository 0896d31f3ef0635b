"""Ask for Storyboard: the question for a language model."""

from __future__ import annotations

from comfy_api.latest import io

from ...storyboards.asking import question
from ..base import ZoetropeNode


class AskForStoryboard(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeAskForStoryboard",
            display_name="Ask for Storyboard",
            category="Zoetrope/Stories",
            description="Asks a language model for the script of a storyboard, from one sentence.",
            search_aliases=["script", "llm", "screenplay", "story", "prompt", "剧本", "故事", "语言模型"],
            inputs=[
                io.String.Input(
                    "idea",
                    default="A red ball wants to see the sea.",
                    multiline=True,
                    tooltip="What happens.",
                ),
                io.Int.Input(
                    "num_scenes", default=3, min=1, max=100, tooltip="How many scenes are asked for."
                ),
                io.Float.Input(
                    "seconds",
                    default=2.0,
                    min=0.1,
                    max=600.0,
                    step=0.1,
                    tooltip="How long a scene shall be, about.",
                ),
            ],
            outputs=[
                io.String.Output("prompt", display_name="prompt", tooltip="The question, for Generate Text.")
            ],
        )

    @classmethod
    def execute(cls, idea, num_scenes, seconds) -> io.NodeOutput:
        return io.NodeOutput(question(idea, num_scenes, seconds))
