"""Save Temporal Layers: a module to a file that Load Motion Module or Load Temporal Decoder reads."""

from __future__ import annotations

from comfy_api.latest import io, ui

from ...host.injection.motion_models import save_to_output
from ..animatediff.inputs import MotionModule
from ..base import ZoetropeNode
from ..file_prefix import prefix_input
from .inputs import TemporalDecoder


class SaveTemporalLayers(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeSaveTemporalLayers",
            display_name="Save Temporal Layers",
            category="Zoetrope/Temporal layers",
            description=(
                "Writes temporal layers, with their MotionLoRAs added, to a file under the"
                " method's published key names."
            ),
            search_aliases=["save motion module", "merge motion lora", "保存运动模块", "保存时间层"],
            inputs=[
                io.MultiType.Input(
                    "motion_module",
                    [MotionModule, TemporalDecoder],
                    tooltip="The layers of a MODEL or of a VAE, from any node that gives some.",
                ),
                prefix_input("temporal_layers/zoetrope"),
            ],
            outputs=[],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, motion_module, filename_prefix) -> io.NodeOutput:
        path = save_to_output(motion_module, filename_prefix)
        return io.NodeOutput(ui=ui.PreviewText(f"{path.parent.name}/{path.name}"))
