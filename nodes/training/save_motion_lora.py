"""Save MotionLoRA: a trained one to a file that Load MotionLoRA and other packs read."""

from __future__ import annotations

from comfy_api.latest import io, ui

from ...host.tuning.temporal_training import save_motion_lora
from ..base import ZoetropeNode
from ..file_prefix import prefix_input
from .inputs import MotionLora


class SaveMotionLora(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeSaveMotionLora",
            display_name="Save MotionLoRA",
            category="Zoetrope/Training",
            description="Writes a trained MotionLoRA to a file under AnimateDiff's own key names.",
            search_aliases=["save motion lora", "export lora", "保存运动 LoRA"],
            inputs=[
                MotionLora.Input("motion_lora", tooltip="From Train MotionLoRA."),
                prefix_input("motion_loras/zoetrope"),
            ],
            outputs=[],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, motion_lora, filename_prefix) -> io.NodeOutput:
        path = save_motion_lora(motion_lora, filename_prefix)
        return io.NodeOutput(ui=ui.PreviewText(f"{path.parent.name}/{path.name}"))
