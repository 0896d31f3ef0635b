"""Motion Field: how the camera of a video moves."""

from __future__ import annotations

from comfy_api.latest import io

from ...samplers.text2video_zero.motion_fields import CameraField
from ..base import ZoetropeNode
from .inputs import MotionField


class MakeMotionField(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeMakeMotionField",
            display_name="Motion Field",
            category="Zoetrope/Text2Video-Zero",
            description="Says how the camera moves from frame to frame, for Prepare Text2Video-Zero.",
            search_aliases=[
                "motion field",
                "motion_field_strength_x",
                "camera motion",
                "pan",
                "zoom",
                "rotate",
                "text2video-zero",
                "运动场",
                "镜头运动",
                "平移",
                "缩放",
                "旋转",
            ],
            inputs=[_delta("delta_x", "to the right"), _delta("delta_y", "down"), *_lens_inputs()],
            outputs=[
                MotionField.Output(
                    "MOTION_FIELD", tooltip="Goes into Prepare Text2Video-Zero and Smooth Background."
                )
            ],
        )

    @classmethod
    def execute(cls, **settings) -> io.NodeOutput:
        return io.NodeOutput(CameraField(**settings))


def _delta(name: str, way: str) -> io.Float.Input:
    return io.Float.Input(
        name,
        default=12.0,
        min=-512.0,
        max=512.0,
        step=1.0,
        tooltip=(
            f"How far the camera moves {way} in each frame, in 512ths of the picture, so that things move the"
            " other way: 12 as published, 0 = not at all."
        ),
    )


def _lens_inputs() -> list[io.Input]:
    return [
        io.Float.Input(
            "zoom",
            default=1.0,
            min=0.1,
            max=10.0,
            step=0.005,
            tooltip="A factor for each frame: above 1 the camera comes closer, 1.05 is much; 1 = no zoom.",
        ),
        io.Float.Input(
            "rotation",
            default=0.0,
            min=-180.0,
            max=180.0,
            step=0.1,
            tooltip="Degrees by which the camera turns clockwise in each frame; 0 = not at all.",
        ),
    ]
