"""Move Camera: the poses of a motion module with camera control."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.injection.camera import CameraMove, move_camera
from ..base import ZoetropeNode
from .inputs import CameraPoses, MotionModule


class MoveCamera(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeMoveCamera",
            display_name="Move Camera",
            category="Zoetrope/AnimateDiff",
            description="Gives a motion module with camera control the poses of its camera.",
            search_aliases=[
                "cameractrl",
                "motionctrl",
                "camera motion",
                "apply camera",
                "camera poses",
                "ADE",
                "镜头",
                "移动相机",
                "运镜",
            ],
            inputs=[
                MotionModule.Input("motion_module", tooltip="From Load Camera Control."),
                CameraPoses.Input(
                    "camera_poses", tooltip="From Camera Poses: at least as many as the video has frames."
                ),
                io.Float.Input(
                    "strength",
                    default=1.0,
                    min=0.0,
                    max=10.0,
                    step=0.01,
                    tooltip="How much the camera steers the module, a factor: 1 = as trained, 0 = off.",
                ),
            ],
            outputs=[MotionModule.Output("MOTION_MODULE", tooltip="Goes into Apply Motion Module.")],
        )

    @classmethod
    def execute(cls, motion_module, camera_poses, strength) -> io.NodeOutput:
        return io.NodeOutput(move_camera(motion_module, CameraMove(camera_poses, strength)))
