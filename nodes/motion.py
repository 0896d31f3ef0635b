"""Nodes that load motion modules and put them on a MODEL."""

from __future__ import annotations

from comfy_api.latest import io

from ..host import injection
from ..host.files.model_files import MOTION_LORAS, MOTION_MODULES, missing_file_message, model_file_names
from ..host.files.published_files import MOTION_FILES, MOTION_LORA_FILES, links
from ..host.injection import motion_models
from .base import ZoetropeNode

MotionModuleType = io.Custom("MOTION_MODULE")
CATEGORY = "Zoetrope/AnimateDiff"


class LoadMotionModule(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeLoadMotionModule",
            display_name="Load Motion Module",
            category=CATEGORY,
            description=(
                "Loads an AnimateDiff motion module: the part that lets an image checkpoint make moving"
                " pictures."
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
                        " diffusers key names, .safetensors, .ckpt or .pth."
                    ),
                )
            ],
            outputs=[MotionModuleType.Output("MOTION_MODULE", tooltip="Goes into Apply Motion Module.")],
        )

    @classmethod
    def validate_inputs(cls, motion_module: str | None = None) -> bool | str:
        return missing_file_message(MOTION_MODULES, motion_module, MOTION_FILES) or True

    @classmethod
    def execute(cls, motion_module: str) -> io.NodeOutput:
        return io.NodeOutput(motion_models.load_motion_module(motion_module))


class LoadMotionLora(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeLoadMotionLora",
            display_name="Load MotionLoRA",
            category=CATEGORY,
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
                MotionModuleType.Input(
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
            outputs=[MotionModuleType.Output("MOTION_MODULE", tooltip="Goes into Apply Motion Module.")],
        )

    @classmethod
    def validate_inputs(cls, lora_name: str | None = None) -> bool | str:
        return missing_file_message(MOTION_LORAS, lora_name, MOTION_LORA_FILES) or True

    @classmethod
    def execute(cls, motion_module, lora_name: str, strength: float) -> io.NodeOutput:
        return io.NodeOutput(motion_models.add_motion_lora(motion_module, lora_name, strength))


class ApplyMotionModule(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeApplyMotionModule",
            display_name="Apply Motion Module",
            category=CATEGORY,
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
                MotionModuleType.Input(
                    "motion_module", tooltip="From Load Motion Module or Load MotionLoRA."
                ),
                io.Float.Input(
                    "strength",
                    default=1.0,
                    min=0.0,
                    max=10.0,
                    step=0.01,
                    tooltip=(
                        "How much of the motion is added, a factor: 1 = as trained, 0 = off (exactly the"
                        " plain checkpoint)."
                    ),
                ),
                io.Float.Input(
                    "start_percent",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.001,
                    advanced=True,
                    tooltip=(
                        "Where the module starts to act, as part of the noise schedule: 0 = from the first"
                        " step."
                    ),
                ),
                io.Float.Input(
                    "end_percent",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.001,
                    advanced=True,
                    tooltip=(
                        "Where the module stops to act, as part of the noise schedule: 1 = at the last step."
                    ),
                ),
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
                        "Where the UNet takes its normalisation statistics. auto = as the module was trained"
                        " (over all frames for v1, per frame else); the AnimateDiff-Evolved choice also takes"
                        " the transformers' and the module's norms over all frames, as that pack does for v1,"
                        " SDXL and AnimateLCM modules."
                    ),
                ),
                io.Int.Input(
                    "frames_per_video",
                    display_name="frames_per_video (0 = all)",
                    default=0,
                    min=0,
                    max=4096,
                    advanced=True,
                    tooltip=(
                        "Frames of one video when the latent batch holds several videos one after another; 0"
                        " = the whole batch is one video."
                    ),
                ),
            ],
            outputs=[
                io.Model.Output("MODEL", tooltip="Goes into any sampler; the latent batch are the frames.")
            ],
        )

    @classmethod
    def execute(
        cls,
        model,
        motion_module,
        strength,
        start_percent,
        end_percent,
        beta_schedule,
        group_norm,
        frames_per_video,
    ) -> io.NodeOutput:
        settings = injection.MotionSettings(
            strength, start_percent, end_percent, beta_schedule, group_norm, frames_per_video
        )
        return io.NodeOutput(injection.apply_motion_module(model, motion_module, settings))


NODES = [LoadMotionModule, LoadMotionLora, ApplyMotionModule]
