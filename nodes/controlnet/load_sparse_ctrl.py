"""Load SparseCtrl Model: a ControlNet whose images lie at a few frames."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.controlnets.sparsectrl_file import CONTROLNETS, load_sparsectrl
from ...host.files.model_files import missing_file_message, model_file_names
from ...host.files.published_files import SPARSECTRL_FILES, links
from ..base import ZoetropeNode


class LoadSparseCtrl(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeLoadSparseCtrl",
            display_name="Load SparseCtrl Model",
            category="Zoetrope/ControlNet",
            description=(
                "Loads a SparseCtrl model: a ControlNet for AnimateDiff that a few images, or a single one,"
                " are enough for."
            ),
            search_aliases=[
                "sparsectrl",
                "sparse control",
                "v3_sd15_sparsectrl_rgb",
                "v3_sd15_sparsectrl_scribble",
                "ACN",
                "advanced controlnet",
                "image to video",
                "key frames",
                "animatediff controlnet",
                "稀疏控制",
                "关键帧",
                "图生视频",
            ],
            inputs=[
                io.Combo.Input(
                    "control_net_name",
                    options=model_file_names(CONTROLNETS),
                    extra_dict=links(SPARSECTRL_FILES),
                    tooltip=(
                        "A file from models/controlnet: v3_sd15_sparsectrl_rgb takes pictures,"
                        " v3_sd15_sparsectrl_scribble white lines on black."
                    ),
                )
            ],
            outputs=[
                io.ControlNet.Output(
                    "CONTROL_NET", tooltip="Goes into Place Sparse Images, or into Apply ControlNet."
                )
            ],
        )

    @classmethod
    def validate_inputs(cls, control_net_name: str | None = None) -> bool | str:
        return missing_file_message(CONTROLNETS, control_net_name, SPARSECTRL_FILES) or True

    @classmethod
    def execute(cls, control_net_name: str) -> io.NodeOutput:
        return io.NodeOutput(load_sparsectrl(control_net_name))
