"""Score Clips: motion, text and looks of every clip, as numbers."""

from __future__ import annotations

from comfy_api.latest import io

from ...curation.settings import Motion, Settings, Text
from ...host.curation.clip_set import scored
from ...host.curation.measuring import NONE, Scoring, missing_head_message
from ...host.files.model_files import METRIC_NETWORKS, model_file_names
from ..base import ZoetropeNode
from ..frames.inputs import OpticalFlow
from .inputs import clips_input, clips_output, told_output


class ScoreClips(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeScoreClips",
            display_name="Score Clips",
            category="Zoetrope/Curation",
            description=(
                "Measures in every clip how much moves, how much text is in the picture, and how beautiful"
                " it is."
            ),
            search_aliases=[
                "aesthetic score",
                "motion score",
                "optical flow",
                "ocr",
                "curation",
                "dataset",
                "美学评分",
                "运动评分",
            ],
            inputs=[
                clips_input(),
                io.Combo.Input(
                    "motion",
                    options=["dis", "codec", NONE],
                    default="codec",
                    tooltip=(
                        "dis = optical flow by OpenCV, exact to some percent, needs opencv-python-headless;"
                        " codec = the motion vectors in the file, rough and nearly free; none = not measured."
                    ),
                ),
                io.Boolean.Input(
                    "text_area",
                    default=False,
                    tooltip=(
                        "Measures the share of the picture that text covers, in three frames; needs rapidocr"
                        " and onnxruntime."
                    ),
                ),
                io.Combo.Input(
                    "aesthetic",
                    options=[NONE, *model_file_names(METRIC_NETWORKS)],
                    default=NONE,
                    tooltip=(
                        "One of LAION's aesthetic heads, a file in models/metrics; needs the CLIP"
                        " ViT-L/14 in clip_vision."
                    ),
                ),
                OpticalFlow.Input(
                    "optical_flow",
                    optional=True,
                    tooltip="RAFT from Load Optical Flow Model, in place of what motion says.",
                ),
                io.ClipVision.Input(
                    "clip_vision",
                    optional=True,
                    tooltip="Load CLIP Vision: for aesthetic, and to find clips that look alike.",
                ),
            ],
            outputs=[clips_output(), told_output()],
        )

    @classmethod
    def execute(
        cls, clips, motion, text_area, aesthetic, optical_flow=None, clip_vision=None
    ) -> io.NodeOutput:
        settings = Settings(motion=Motion(motion), text=Text(text_area))
        scoring = Scoring(settings.motion, text_area, optical_flow, clip_vision, aesthetic)
        found = scored(clips, settings, scoring.measures)
        return io.NodeOutput(found, found.told())

    @classmethod
    def validate_inputs(cls, aesthetic=None) -> bool | str:
        return missing_head_message(aesthetic) or True
