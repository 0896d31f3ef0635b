"""Apply Motion Module: temporal layers on an image checkpoint."""

from __future__ import annotations

from comfy_api.latest import io

from ...host import injection
from ..base import ZoetropeNode
from ..videos_in_batch import frames_per_video
from .inputs import FrameValues, MotionModule


class ApplyMotionModule(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeApplyMotionModule",
            display_name="Apply Motion Module",
            category="Zoetrope/AnimateDiff",
            description=(
                "Makes the frames of a latent batch one moving picture; the checkpoint itself is not changed."
            ),
            search_aliases=[
                "animatediff",
                "use evolved sampling",
                "apply animatediff model",
                "motion",
                "video",
                "ADE",
                "gen1",
                "gen2",
                "animation",
                "动画",
                "运动",
                "文生视频",
            ],
            inputs=[
                io.Model.Input(
                    "model", tooltip="An SD1.x checkpoint (SDXL for an SDXL module), LoRAs included."
                ),
                MotionModule.Input("motion_module", tooltip="From Load Motion Module or Load MotionLoRA."),
                *_strength_inputs(),
                *_network_inputs(),
            ],
            outputs=[
                io.Model.Output("MODEL", tooltip="Goes into any sampler; the latent batch are the frames.")
            ],
        )

    @classmethod
    def execute(cls, model, motion_module, **settings) -> io.NodeOutput:
        settings = injection.MotionSettings(**settings)
        return io.NodeOutput(injection.apply_motion_module(model, motion_module, settings))


def _strength_inputs() -> list[io.Input]:
    """How much the module acts, and at which part of the noise schedule."""
    return [
        io.MultiType.Input(
            io.Float.Input(
                "strength",
                default=1.0,
                min=0.0,
                max=10.0,
                step=0.01,
                tooltip=(
                    "How much of the motion is added, a factor: 1 = as trained, 0 = off (exactly the plain"
                    " checkpoint). Vary Value makes it differ over frames, places and steps."
                ),
            ),
            [FrameValues],
        ),
        io.Float.Input(
            "start_percent",
            default=0.0,
            min=0.0,
            max=1.0,
            step=0.001,
            advanced=True,
            tooltip=(
                "Where the module starts to act, as part of the noise schedule: 0 = from the first step."
            ),
        ),
        io.Float.Input(
            "end_percent",
            default=1.0,
            min=0.0,
            max=1.0,
            step=0.001,
            advanced=True,
            tooltip=("Where the module stops to act, as part of the noise schedule: 1 = at the last step."),
        ),
    ]


def _network_inputs() -> list[io.Input]:
    """What the UNet does otherwise than without the module."""
    return [
        io.Combo.Input(
            "beta_schedule",
            options=injection.BETA_SCHEDULE_CHOICES,
            default=injection.AUTO,
            advanced=True,
            tooltip=(
                "Noise schedule while sampling. auto = the one the module was trained with; use"
                " existing = leave the MODEL's own."
            ),
        ),
        io.Combo.Input(
            "group_norm",
            options=injection.GROUP_NORM_CHOICES,
            default=injection.AUTO,
            advanced=True,
            tooltip=(
                "Where the UNet takes its normalisation statistics. auto = as the module was trained:"
                " over all frames for AnimateDiff v1, HotshotXL, PIA, Tune-A-Video and SimDA, in the"
                " module alone for SDXL, per frame else. as AnimateDiff-Evolved = what that pack does"
                " with the file; old loaders = its loaders of 2023, for v2."
            ),
        ),
        frames_per_video(
            "Frames of one video when the latent batch holds several videos one after another; 0"
            " = the whole batch is one video."
        ),
        io.MultiType.Input(
            io.Float.Input(
                "attention_scale",
                default=1.0,
                min=0.0,
                max=10.0,
                step=0.01,
                advanced=True,
                tooltip=(
                    "Multiplies the keys of the attention over frames: above 1 frames look more closely at"
                    " those like them, below 1 more at all. It is not the strength."
                ),
            ),
            [FrameValues],
            optional=True,  # graphs that were saved before have no such input
            advanced=True,
        ),
    ]
