"""Caption Clips: a text for each clip, as a language model wrote it."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.curation.clip_set import captioned
from ..base import ZoetropeNode
from .inputs import clips_input, clips_output, told_output


class CaptionClips(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeCaptionClips",
            display_name="Caption Clips",
            category="Zoetrope/Curation",
            description=(
                "Gives each clip that is still in its text, cleaned of what language models put in front of"
                " it."
            ),
            search_aliases=["caption", "captioning", "tagging", "text generate", "打标", "描述"],
            is_input_list=True,
            inputs=[
                clips_input("The clips that Frames of Clips took."),
                io.String.Input(
                    "text",
                    force_input=True,
                    tooltip=(
                        "A text for each clip, in their order, as Generate Text gives them; one text goes"
                        " to all."
                    ),
                ),
            ],
            outputs=[clips_output(), told_output()],
        )

    @classmethod
    def execute(cls, clips, text) -> io.NodeOutput:
        found = captioned(clips[0], text)
        return io.NodeOutput(found, found.told())
