"""Load Video LoRA: a low-rank change of a video network."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.files.model_files import missing_file_message, model_file_names
from ...host.video_models.loras import LORAS, load_video_lora
from ..base import ZoetropeNode


class LoadVideoLora(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeLoadVideoLora",
            display_name="Load Video LoRA",
            category="Zoetrope/Video models",
            description=(
                "Adds a LoRA to a video network, also one with temporal layers or in the layouts of video"
                " trainers."
            ),
            search_aliases=[
                "lora",
                "stable lora",
                "cloneofsimo",
                "text to video lora",
                "temporal lora",
                "modelscope lora",
                "svd lora",
                "视频 LoRA",
            ],
            inputs=[
                io.Model.Input("model", tooltip="From Load Video Model or another Load Video LoRA."),
                io.Combo.Input(
                    "lora_name",
                    options=model_file_names(LORAS),
                    tooltip=(
                        "A file from models/loras that was trained on this network: stable_lora, a"
                        " cloneofsimo list (.pt), diffusers or kohya key names."
                    ),
                ),
                io.Float.Input(
                    "strength",
                    default=1.0,
                    min=-10.0,
                    max=10.0,
                    step=0.01,
                    tooltip=(
                        "How much of it is added, a factor: 1 = as trained, 0 = off, negative = the opposite."
                    ),
                ),
            ],
            outputs=[io.Model.Output("MODEL", tooltip="Goes into any sampler.")],
        )

    @classmethod
    def validate_inputs(cls, lora_name: str | None = None) -> bool | str:
        return missing_file_message(LORAS, lora_name) or True

    @classmethod
    def execute(cls, model, lora_name: str, strength: float) -> io.NodeOutput:
        return io.NodeOutput(load_video_lora(model, lora_name, strength))
