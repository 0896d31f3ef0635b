"""Load Camera Control: CameraCtrl or MotionCtrl on a motion module."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.files.model_files import MOTION_MODULES, missing_file_message, model_file_names
from ...host.files.published_files import CAMERA_FILES, links
from ...host.injection.camera import add_camera_control
from ..base import ZoetropeNode
from .inputs import MotionModule


class LoadCameraControl(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeLoadCameraControl",
            display_name="Load Camera Control",
            category="Zoetrope/AnimateDiff",
            description="Puts CameraCtrl or MotionCtrl on a motion module, so that its camera can be moved.",
            search_aliases=[
                "cameractrl",
                "camera ctrl",
                "motionctrl",
                "cmcm",
                "camera control",
                "camera motion",
                "ADE",
                "镜头控制",
                "运镜",
                "相机控制",
            ],
            inputs=[
                MotionModule.Input(
                    "motion_module", tooltip="v3_sd15_mm.ckpt, from Load Motion Module or Load MotionLoRA."
                ),
                io.Combo.Input(
                    "camera_control",
                    options=model_file_names(MOTION_MODULES),
                    extra_dict=links(CAMERA_FILES),
                    tooltip=(
                        "A file from models/animatediff_models: CameraCtrl, whole or pruned, or the camera"
                        " part of MotionCtrl; which it is is read from its keys."
                    ),
                ),
            ],
            outputs=[MotionModule.Output("MOTION_MODULE", tooltip="Goes into Move Camera.")],
        )

    @classmethod
    def validate_inputs(cls, camera_control: str | None = None) -> bool | str:
        return missing_file_message(MOTION_MODULES, camera_control, CAMERA_FILES) or True

    @classmethod
    def execute(cls, motion_module, camera_control: str) -> io.NodeOutput:
        return io.NodeOutput(add_camera_control(motion_module, camera_control))
