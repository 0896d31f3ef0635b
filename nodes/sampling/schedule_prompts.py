"""Prompts over Frames: a prompt of its own for every frame."""

from __future__ import annotations

from comfy_api.latest import io, ui

from ...host.sampling.schedule_prompts import frames_of_latent, schedule_prompts
from ...samplers.over_frames.curves import CURVES
from ...samplers.over_frames.prompts import PRINTED, PromptSettings
from ..base import ZoetropeNode
from .inputs import Floats, loop, num_frames, read_as

EXAMPLE = '"0": "a red ball",\n"15": "a blue ball"'


class SchedulePrompts(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeSchedulePrompts",
            display_name="Prompts over Frames",
            category="Zoetrope/Sampling",
            description="Tells every frame of a video another prompt, and blends one into the next.",
            search_aliases=[
                "prompt travel",
                "prompt schedule",
                "promptschedule",
                "batchpromptschedule",
                "batch prompt schedule",
                "prompt scheduling",
                "fizznodes",
                "ADE",
                "keyframe",
                "提示词",
                "提示词调度",
                "逐帧提示词",
                "关键帧",
            ],
            inputs=[
                io.Clip.Input("clip", tooltip="Encodes the prompts; hooks and LoRAs of it act as always."),
                *_texts(),
                num_frames("Frames of the video; not used where a latent is wired."),
                io.Combo.Input(
                    "curve",
                    options=list(CURVES),
                    tooltip=(
                        "How a prompt goes over into the next: linear = evenly, ease = slow at both ends,"
                        " hold = not before its frame, compounding = faster, as AnimateDiff-Evolved does."
                    ),
                ),
                loop("The last prompt goes over into the first at the end of the video."),
                read_as(
                    "FizzNodes = max_f in backticks is the last frame, a 0 at the end of a prompt is lost,"
                    " and the pooled output (SDXL) is that of the next prompt."
                ),
                io.Latent.Input(
                    "latent", optional=True, tooltip="Sets the number of frames; it does not go through."
                ),
                *_numbers(),
                io.Int.Input(
                    "frame",
                    display_name="frame (-1 = all)",
                    default=-1,
                    min=-1,
                    max=65535,
                    optional=True,
                    advanced=True,
                    tooltip="Puts out the prompts of this frame alone: 0 is the first; -1 = all frames.",
                ),
            ],
            outputs=[
                io.Conditioning.Output(
                    "positive", display_name="positive", tooltip="The prompts, for any sampler."
                ),
                io.Conditioning.Output(
                    "negative",
                    display_name="negative",
                    tooltip="What stands behind --neg; an empty prompt where there is none.",
                ),
                io.Image.Output("IMAGE", tooltip="The weight of each prompt over the frames, drawn."),
            ],
        )

    @classmethod
    def execute(cls, clip, num_frames, latent=None, frame=-1, **settings) -> io.NodeOutput:
        frames = num_frames if latent is None else frames_of_latent(latent)
        given = {name: value for name, value in settings.items() if value is not None}
        *told, drawing = schedule_prompts(clip, PromptSettings(num_frames=frames, **given), frame)
        return io.NodeOutput(*told, drawing, ui=ui.PreviewImage(drawing, cls=cls))


def _texts() -> list[io.Input]:
    """The prompts, and what stands before and behind all of them."""
    return [
        io.String.Input(
            "text",
            default=EXAMPLE,
            multiline=True,
            tooltip=(
                "Frame numbers from 0 on and prompts. -1 is the last frame, max_f the number of frames."
                " `0.5+0.5*sin(t)` in backticks is a number, --neg begins the negative prompt."
            ),
        ),
        io.String.Input(
            "pre_text", default="", multiline=True, tooltip="Stands before every prompt, a blank between."
        ),
        io.String.Input(
            "app_text", default="", multiline=True, tooltip="Stands behind every prompt, a blank between."
        ),
    ]


def _numbers() -> list[io.Input]:
    """Numbers for expressions."""
    return [
        Floats.Input(
            name,
            optional=True,
            tooltip=f"Numbers for {name} in backticks, one for each frame, from Values over Frames.",
        )
        for name in PRINTED
    ]
