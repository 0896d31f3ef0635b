"""Train MotionLoRA: a low-rank change of an AnimateDiff module, on clips."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.tuning.progress import loss_curve, told
from ...host.tuning.temporal_training import LORA_LAYERS, train_motion_lora
from ..animatediff.inputs import MotionModule
from ..base import ZoetropeNode
from .inputs import MotionLora, options_inputs, rank_input, run_inputs, run_outputs, training_run


class TrainMotionLora(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeTrainMotionLora",
            display_name="Train MotionLoRA",
            category="Zoetrope/Training",
            description=(
                "Trains a MotionLoRA on clips that share a movement: a small change of a motion module's"
                " attention."
            ),
            search_aliases=["train motion lora", "camera lora", "MotionDirector", "训练运动 LoRA", "运镜"],
            inputs=[
                *run_inputs(1e-3, "The module that the LoRA is for, from Load Motion Module."),
                rank_input(),
                io.Combo.Input(
                    "layers",
                    options=list(LORA_LAYERS),
                    tooltip="attention = as the published MotionLoRAs; with feed-forward = MotionDirector's.",
                ),
                *options_inputs(),
            ],
            outputs=[
                MotionModule.Output("MOTION_MODULE", tooltip="The module with the new MotionLoRA on it."),
                MotionLora.Output("MOTION_LORA", tooltip="The MotionLoRA alone; goes into Save MotionLoRA."),
                *run_outputs(),
            ],
        )

    @classmethod
    def execute(cls, model, motion_module, rank, layers, **told_run) -> io.NodeOutput:
        module, lora, run = train_motion_lora(model, motion_module, training_run(**told_run), rank, layers)
        return io.NodeOutput(module, lora, loss_curve(run.losses), told(run))
