"""New Temporal Layers: untrained ones for a checkpoint."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.injection.motion_models import METHODS, new_for_model
from ..animatediff.inputs import MotionModule
from ..base import ZoetropeNode


class NewTemporalLayers(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeNewTemporalLayers",
            display_name="New Temporal Layers",
            category="Zoetrope/Temporal layers",
            description=(
                "Makes untrained temporal layers for an image checkpoint, by any method of the pack: where"
                " training begins."
            ),
            search_aliases=[
                "temporal layers",
                "tune-a-video",
                "simda",
                "temporal attention",
                "pseudo 3d",
                "inject temporal",
                "train motion",
                "时间层",
                "时序层",
            ],
            inputs=[
                io.Model.Input("model", tooltip="The checkpoint that they are for; it is not changed."),
                io.Combo.Input(
                    "method",
                    options=list(METHODS),
                    tooltip="What the layers are and where they act; see the help page for the list.",
                ),
            ],
            outputs=[
                MotionModule.Output(
                    "MOTION_MODULE", tooltip="Goes into Apply Motion Module or Save Temporal Layers."
                )
            ],
        )

    @classmethod
    def execute(cls, model, method) -> io.NodeOutput:
        return io.NodeOutput(new_for_model(model, method))
