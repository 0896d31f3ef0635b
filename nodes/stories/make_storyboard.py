"""Storyboard: a script of scenes as one video."""

from __future__ import annotations

from comfy_api.latest import io, ui

from ...host.stories.storyboard import tell
from ..base import ZoetropeNode
from .inputs import Storyboard

EXAMPLE = """\
style: a bright drawing
negative: blurry
scenes:
  - prompt: a red ball on the grass
    duration: 2 s
    camera: zoom in
    transition: fade 0.5 s
  - prompt: a blue ball on the sand
    duration: 16 frames
"""


class MakeStoryboard(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeMakeStoryboard",
            display_name="Storyboard",
            category="Zoetrope/Stories",
            description="Turns a script of scenes into prompts over frames, cameras and cuts of one video.",
            search_aliases=[
                "story",
                "script",
                "scenes",
                "shots",
                "multi scene",
                "screenplay",
                "transition",
                "fade",
                "分镜",
                "故事板",
                "剧本",
                "场景",
                "转场",
            ],
            inputs=[
                io.String.Input(
                    "script",
                    default=EXAMPLE,
                    multiline=True,
                    tooltip=(
                        "YAML or JSON: style, negative, fps and scenes; each with prompt, duration (2 s or 16"
                        " frames), camera (zoom in 0.5), transition (cut, fade 0.5 s, morph 1 s), negative"
                        " and start picture."
                    ),
                ),
                io.Float.Input(
                    "fps",
                    default=8.0,
                    min=0.1,
                    max=240.0,
                    step=0.1,
                    tooltip="Frames a second, where the script says nothing.",
                ),
                io.Image.Input(
                    "pictures", optional=True, tooltip="What 'start picture: 1' and so on are, in one batch."
                ),
            ],
            outputs=_outputs(),
        )

    @classmethod
    def execute(cls, script, fps, pictures=None) -> io.NodeOutput:
        told = tell(script, fps, pictures)
        board, drawing = told.storyboard, told.drawing
        numbers = board.num_frames, board.fps, told.start_frames, told.start_pictures
        return io.NodeOutput(board, board.prompts(), *numbers, drawing, ui=ui.PreviewImage(drawing, cls=cls))


def _outputs() -> list[io.Output]:
    """What other nodes need of a storyboard."""
    return [
        Storyboard.Output(
            "STORYBOARD", tooltip="For Context Windows, the cameras, Join Scenes, Latents to Video File."
        ),
        io.String.Output("prompts", display_name="prompts", tooltip="For text of Prompts over Frames."),
        io.Int.Output(
            "num_frames", display_name="num_frames", tooltip="Frames to sample, all scenes together."
        ),
        io.Float.Output("fps", display_name="fps", tooltip="Frames a second."),
        io.String.Output(
            "start_frames",
            display_name="start_frames",
            tooltip="Frames of the start pictures, for Place Sparse Images.",
        ),
        io.Image.Output(
            "start_pictures",
            display_name="start_pictures",
            tooltip="The start pictures in that order; nothing where the script names none.",
        ),
        io.Image.Output("IMAGE", tooltip="The storyboard, drawn."),
    ]
