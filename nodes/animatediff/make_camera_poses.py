"""Camera Poses: where the camera stands in each frame."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.injection.camera_poses import MOVE_CHOICES, PoseSettings, picture_of
from ...host.injection.camera_poses import camera_poses as make_poses
from ..base import ZoetropeNode
from .inputs import CameraPoses


class MakeCameraPoses(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeMakeCameraPoses",
            display_name="Camera Poses",
            category="Zoetrope/AnimateDiff",
            description="Where the camera stands in each frame: a move by name, or the text of a pose file.",
            search_aliases=[
                "cameractrl",
                "motionctrl",
                "camera motion",
                "camera trajectory",
                "pan",
                "tilt",
                "zoom",
                "roll",
                "orbit",
                "pose file",
                "realestate10k",
                "ADE",
                "镜头",
                "运镜",
                "相机轨迹",
            ],
            inputs=[
                io.Combo.Input(
                    "move",
                    options=MOVE_CHOICES,
                    default="zoom in",
                    tooltip=(
                        "How the camera moves: pan = sideways, zoom = into the picture or out of it, tilt and"
                        " turn = it looks elsewhere, roll, orbit = around what is in front of it; or the"
                        " poses of pose_text."
                    ),
                ),
                io.Int.Input(
                    "num_frames",
                    default=16,
                    min=1,
                    max=65536,
                    tooltip=(
                        "Poses that this node makes; all joined together at least as many as the video has"
                        " frames."
                    ),
                ),
                io.Float.Input(
                    "speed",
                    default=1.0,
                    min=-10.0,
                    max=100.0,
                    step=0.01,
                    tooltip=(
                        "1 = as published: 1.5 units or 60 degrees in 16 frames; 0 stands still, negative"
                        " goes the other way. Of a text: how many of its lines a frame goes on."
                    ),
                ),
                CameraPoses.Input(
                    "camera_poses", optional=True, tooltip="Poses of another such node, which these continue."
                ),
                io.String.Input(
                    "pose_text",
                    default="",
                    multiline=True,
                    optional=True,
                    tooltip=(
                        "The text of a RealEstate10K pose file, for the move 'from pose_text'; empty for"
                        " others."
                    ),
                ),
                io.Float.Input(
                    "focal_length",
                    default=0.5,
                    min=0.05,
                    max=10.0,
                    step=0.01,
                    optional=True,
                    advanced=True,
                    tooltip=(
                        "Of the lens, as a share of the width: 0.5 sees 90 degrees, larger sees less. A text"
                        " has its own."
                    ),
                ),
                io.Int.Input(
                    "pose_width",
                    default=1280,
                    min=1,
                    max=16384,
                    optional=True,
                    advanced=True,
                    tooltip=(
                        "Width in pixels of the video that the poses belong to; only its proportions matter."
                    ),
                ),
                io.Int.Input(
                    "pose_height",
                    default=720,
                    min=1,
                    max=16384,
                    optional=True,
                    advanced=True,
                    tooltip="Height in pixels of the video that the poses belong to.",
                ),
            ],
            outputs=[
                CameraPoses.Output(
                    "CAMERA_POSES", tooltip="For Move Camera, or a Camera Poses that goes on."
                ),
                io.Image.Output("IMAGE", tooltip="The way of the camera, one picture."),
            ],
        )

    @classmethod
    def execute(cls, camera_poses=None, **settings) -> io.NodeOutput:
        poses = make_poses(PoseSettings(**settings), camera_poses)
        return io.NodeOutput(poses, picture_of(poses))
