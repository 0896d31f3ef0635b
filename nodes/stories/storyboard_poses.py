"""Camera Poses of Storyboard: for a module with camera control."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.injection.camera_poses import picture_of
from ...host.stories.cameras import storyboard_poses
from ..animatediff.inputs import CameraPoses
from ..base import ZoetropeNode
from .inputs import storyboard


class StoryboardPoses(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeStoryboardPoses",
            display_name="Camera Poses of Storyboard",
            category="Zoetrope/Stories",
            description="Where the camera of each scene stands, for a motion module with camera control.",
            search_aliases=["cameractrl", "motionctrl", "camera trajectory", "story", "镜头", "运镜", "分镜"],
            inputs=[
                storyboard("From Storyboard."),
                io.Float.Input(
                    "focal_length",
                    default=0.5,
                    min=0.05,
                    max=10.0,
                    step=0.01,
                    tooltip="Of the lens, as a share of the width: 0.5 sees 90 degrees, larger sees less.",
                ),
                *(
                    io.Int.Input(
                        name,
                        default=size,
                        min=1,
                        max=16384,
                        tooltip=f"{side} of the video in pixels; only its proportions matter.",
                    )
                    for name, size, side in (("pose_width", 1280, "Width"), ("pose_height", 720, "Height"))
                ),
            ],
            outputs=[
                CameraPoses.Output("CAMERA_POSES", tooltip="For Move Camera; a pose for each frame."),
                io.Image.Output("IMAGE", tooltip="The way of the camera, one picture."),
            ],
        )

    @classmethod
    def execute(cls, storyboard, focal_length, pose_width, pose_height) -> io.NodeOutput:
        poses = storyboard_poses(storyboard, focal_length, pose_width, pose_height)
        return io.NodeOutput(poses, picture_of(poses))
