"""Train Temporal Layers: the layers of any temporal method, on clips."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.tuning.progress import loss_curve, told
from ...host.tuning.temporal_training import train_temporal_layers
from ..animatediff.inputs import MotionModule
from ..base import ZoetropeNode
from .inputs import options_inputs, run_inputs, run_outputs, training_run


class TrainTemporalLayers(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeTrainTemporalLayers",
            display_name="Train Temporal Layers",
            category="Zoetrope/Training",
            description=(
                "Trains the layers of a motion module, new or loaded, on clips: AnimateDiff, Tune-A-Video,"
                " SimDA and every other method of the pack."
            ),
            search_aliases=[
                "train motion module",
                "finetune",
                "one-shot tuning",
                "tune a video",
                "训练运动模块",
                "微调",
            ],
            inputs=[
                *run_inputs(1e-4, "From New Temporal Layers or Load Motion Module; a copy of it is trained."),
                *options_inputs(),
            ],
            outputs=[
                MotionModule.Output(
                    "MOTION_MODULE",
                    tooltip="The trained layers; goes into Apply Motion Module and Save Temporal Layers.",
                ),
                *run_outputs(),
            ],
        )

    @classmethod
    def execute(cls, model, motion_module, **told_run) -> io.NodeOutput:
        module, run = train_temporal_layers(model, motion_module, training_run(**told_run))
        return io.NodeOutput(module, loss_curve(run.losses), told(run))
