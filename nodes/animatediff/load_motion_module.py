"""Load Motion Module: a file of temporal layers."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.files.model_files import MOTION_MODULES, missing_file_message, model_file_names
from ...host.files.published_files import MOTION_FILES, links
from ...host.injection import motion_models
from ..base import ZoetropeNode
from .inputs import MotionModule


class LoadMotionModule(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeLoadMotionModule",
            display_name="Load Motion Module",
            category="Zoetrope/AnimateDiff",
            description=(
                "Loads temporal layers, such as an AnimateDiff motion module: what lets an image checkpoint"
                " make moving pictures."
            ),
            search_aliases=[
                "animatediff",
                "load animatediff model",
                "motion model",
                "mm_sd_v15_v2",
                "v3_sd15_mm",
                "ADE",
                "gen1",
                "gen2",
                "animatediff loader",
                "tune-a-video",
                "temporal layers",
                "动画",
                "动画模型",
                "运动模型",
            ],
            inputs=[
                io.Combo.Input(
                    "motion_module",
                    options=model_file_names(MOTION_MODULES),
                    extra_dict=links(MOTION_FILES),
                    tooltip=(
                        "A file from models/animatediff_models: AnimateDiff v1, v2, v3 or SDXL, original or"
                        " diffusers key names, Tune-A-Video, or another method's; what it is is read from its"
                        " keys."
                    ),
                )
            ],
            outputs=[MotionModule.Output("MOTION_MODULE", tooltip="Goes into Apply Motion Module.")],
        )

    @classmethod
    def validate_inputs(cls, motion_module: str | None = None) -> bool | str:
        return missing_file_message(MOTION_MODULES, motion_module, MOTION_FILES) or True

    @classmethod
    def execute(cls, motion_module: str) -> io.NodeOutput:
        return io.NodeOutput(motion_models.load_motion_module(motion_module))
