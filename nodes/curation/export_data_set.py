"""Export Data Set: the clips as files to train on."""

from __future__ import annotations

from comfy_api.latest import io

from ...curation.settings import COPY_MODES
from ...host.curation.choosing import PLACES, exported
from ..base import ZoetropeNode
from .inputs import clips_input, told_output


class ExportDataSet(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeExportDataSet",
            display_name="Export Data Set",
            category="Zoetrope/Curation",
            description=(
                "Writes the clips that are still in as pairs of mp4 and txt, with a table of their scores"
                " and a report."
            ),
            search_aliases=["save dataset", "webdataset", "training data", "curation", "导出", "数据集"],
            is_output_node=True,
            inputs=[
                clips_input(),
                io.String.Input(
                    "data_set_name",
                    default="clips",
                    tooltip="The name of its folder; clips that are there already are not made again.",
                ),
                io.Combo.Input(
                    "place",
                    options=list(PLACES),
                    default="input",
                    tooltip=(
                        "input = ComfyUI's input folder, where training nodes look for it; output = below"
                        " output/curation."
                    ),
                ),
                io.Combo.Input(
                    "mode",
                    options=list(COPY_MODES),
                    default="re-encode",
                    tooltip=(
                        "re-encode = exactly the frames of each clip; copy = without encoding, from the"
                        " first key"
                        " frame on, and the table says how many frames are lost."
                    ),
                ),
                io.Float.Input(
                    "crf",
                    default=18.0,
                    min=1.0,
                    max=51.0,
                    step=0.5,
                    tooltip="Quality of re-encoded clips, 1 = best and largest. 18 looks like the original.",
                ),
                *_sides(),
                io.Boolean.Input(
                    "webdataset",
                    default=False,
                    tooltip="Writes tar files in the layout of WebDataset as well.",
                ),
                io.String.Input(
                    "caption", default="", multiline=True, tooltip="The text of clips that have none."
                ),
            ],
            outputs=[
                io.String.Output("folder", display_name="folder", tooltip="The folder of the pairs."),
                told_output(),
            ],
        )

    @classmethod
    def execute(cls, clips, data_set_name, place, **settings) -> io.NodeOutput:
        return io.NodeOutput(*exported(clips, data_set_name, place, **settings))


def _sides() -> list[io.Input]:
    return [
        io.Int.Input(
            name,
            display_name=f"{name} (0 = as it is)",
            default=0,
            min=0,
            max=8192,
            step=2,
            tooltip=f"Re-encoded clips are scaled to this {name} and cut, in pixels. 0 = as it is.",
        )
        for name in ("width", "height")
    ]
