"""Load MotionLoRA: a low-rank change of a motion module."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.files.model_files import MOTION_LORAS, missing_file_message, model_file_names
from ...host.files.published_files import MOTION_LORA_FILES, links
from ...host.injection.motion_loras import add_motion_lora
from ..base import ZoetropeNode
from .inputs import MotionModule


class LoadMotionLora(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeLoadMotionLora",
            display_name="Load MotionLoRA",
            category="Zoetrope/AnimateDiff",
            description=(
                "Adds a MotionLoRA, for example a camera movement, to a motion module; chain several for a"
                " mix."
            ),
            search_aliases=[
                "animatediff lora",
                "motion lora",
                "camera",
                "v2_lora_ZoomIn",
                "pan",
                "zoom",
                "ADE",
                "camera motion",
                "镜头",
                "运镜",
                "运动 LoRA",
            ],
            inputs=[
                MotionModule.Input(
                    "motion_module", tooltip="From Load Motion Module or another Load MotionLoRA."
                ),
                io.Combo.Input(
                    "lora_name",
                    options=model_file_names(MOTION_LORAS),
                    extra_dict=links(MOTION_LORA_FILES),
                    tooltip=(
                        "A file from models/animatediff_motion_lora; the published v2_lora_* files fit v2"
                        " motion modules."
                    ),
                ),
                io.Float.Input(
                    "strength",
                    default=1.0,
                    min=-10.0,
                    max=10.0,
                    step=0.01,
                    tooltip=(
                        "How much of it is added, a factor: 1 = as trained, 0 = off, negative = the opposite"
                        " movement."
                    ),
                ),
            ],
            outputs=[MotionModule.Output("MOTION_MODULE", tooltip="Goes into Apply Motion Module.")],
        )

    @classmethod
    def validate_inputs(cls, lora_name: str | None = None) -> bool | str:
        return missing_file_message(MOTION_LORAS, lora_name, MOTION_LORA_FILES) or True

    @classmethod
    def execute(cls, motion_module, lora_name: str, strength: float) -> io.NodeOutput:
        return io.NodeOutput(add_motion_lora(motion_module, lora_name, strength))
