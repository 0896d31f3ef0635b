"""Train Video LoRA: a LoRA of a MODEL's own network, on clips."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.tuning.network_loras import PARTS, train_network_lora
from ...host.tuning.progress import loss_curve, told
from ..base import ZoetropeNode
from .inputs import CoreLora, options_inputs, rank_input, run_inputs, run_outputs, training_run


class TrainVideoLora(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeTrainVideoLora",
            display_name="Train Video LoRA",
            category="Zoetrope/Training",
            description=(
                "Trains a LoRA of a video network, or of the checkpoint under a motion module, on clips: how"
                " it moves things, or what they look like."
            ),
            search_aliases=[
                "train lora",
                "MotionDirector",
                "domain adapter",
                "camera lora",
                "训练 LoRA",
                "视频 LoRA",
            ],
            inputs=[
                *run_inputs(5e-4, model="The video network or checkpoint, as it is sampled; not changed."),
                rank_input(),
                io.Combo.Input(
                    "layers",
                    options=list(PARTS),
                    tooltip=(
                        "temporal = how a video network moves things; spatial = what they look like (with"
                        " single_frames 1 in Training Options); text = what reads the prompt too."
                    ),
                ),
                *options_inputs(),
            ],
            outputs=[
                io.Model.Output("MODEL", tooltip="The MODEL with the new LoRA on it."),
                CoreLora.Output(
                    "LORA_MODEL", tooltip="The LoRA alone; goes into ComfyUI's Save LoRA Weights."
                ),
                *run_outputs(),
            ],
        )

    @classmethod
    def execute(cls, model, rank, layers, **told_run) -> io.NodeOutput:
        patched, lora, run = train_network_lora(model, training_run(**told_run), rank, layers)
        return io.NodeOutput(patched, lora, loss_curve(run.losses), told(run))
