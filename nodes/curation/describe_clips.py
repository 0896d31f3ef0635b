"""Describe Clips: captions by CoCa and VideoBLIP, and questions to a language model for one text of both."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.curation.describing import (
    NONE,
    CaptionerChoice,
    captioner_names,
    described,
    missing_captioner_message,
)
from ..base import ZoetropeNode
from .inputs import clips_input, clips_output, told_output


class DescribeClips(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeDescribeClips",
            display_name="Describe Clips",
            category="Zoetrope/Curation",
            description=(
                "Writes a caption of each clip's middle frame and one of the whole clip, and asks for one"
                " text of both."
            ),
            search_aliases=["caption", "captioning", "coca", "blip", "v-blip", "打标", "描述"],
            inputs=[
                clips_input("From Filter Clips, or any node before Export Data Set."),
                io.Combo.Input(
                    "image_captioner",
                    options=[NONE, *captioner_names()],
                    default=NONE,
                    tooltip=(
                        "What describes the middle frame: a CoCa or BLIP-2 in models/captioners. CoCa needs"
                        " open_clip_torch."
                    ),
                ),
                io.Combo.Input(
                    "video_captioner",
                    options=[NONE, *captioner_names()],
                    default=NONE,
                    tooltip=(
                        "What describes the clip: the folder of a VideoBLIP or BLIP-2 in models/captioners."
                    ),
                ),
                io.Int.Input(
                    "frames",
                    default=8,
                    min=1,
                    max=64,
                    tooltip="Frames of the clip that video_captioner sees, evenly spread.",
                ),
                io.String.Input(
                    "prompt",
                    default="",
                    tooltip=(
                        "What BLIP-2's text goes on from, as Question: What happens? Answer:. Empty = a plain"
                        " caption."
                    ),
                ),
            ],
            outputs=[
                clips_output(),
                io.String.Output(
                    "prompts",
                    display_name="prompts",
                    is_output_list=True,
                    tooltip="A question for each clip, for Generate Text: one text of both captions.",
                ),
                told_output(),
            ],
        )

    @classmethod
    def execute(cls, clips, **settings) -> io.NodeOutput:
        found, prompts = described(clips, CaptionerChoice(**settings))
        return io.NodeOutput(found, prompts, found.told())

    @classmethod
    def validate_inputs(cls, image_captioner=None, video_captioner=None) -> bool | str:
        messages = map(missing_captioner_message, (image_captioner, video_captioner))
        return next(filter(None, messages), True)
