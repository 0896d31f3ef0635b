"""Guide Edit: a GUIDER that samples an inverted video with another prompt."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.sampling.edit_guider import EditGuider, EditSettings
from ..base import ZoetropeNode
from .inputs import Inversion


class GuideEdit(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeGuideEdit",
            display_name="Guide Edit",
            category="Zoetrope/Inversion",
            description=(
                "Samples an inverted video with another prompt, away from its own: negative-prompt inversion,"
                " direct inversion, masks."
            ),
            search_aliases=[
                "negative prompt inversion",
                "npi",
                "direct inversion",
                "pnp inversion",
                "prompt to prompt",
                "edit video",
                "cfg guider",
                "反演",
                "引导器",
            ],
            inputs=_inputs(),
            outputs=[
                io.Guider.Output("GUIDER", tooltip="Goes into SamplerCustomAdvanced, with DisableNoise.")
            ],
        )

    @classmethod
    def execute(cls, model, inversion, positive, negative=None, **settings) -> io.NodeOutput:
        return io.NodeOutput(EditGuider(model, inversion, positive, EditSettings(**settings), negative))


def _inputs() -> list[io.Input]:
    return [
        io.Model.Input("model", tooltip="The MODEL that the video was inverted with."),
        Inversion.Input("inversion", tooltip="From Invert Video."),
        io.Conditioning.Input("positive", tooltip="What the video should show."),
        io.Float.Input(
            "cfg",
            default=4.0,
            min=0.0,
            max=100.0,
            step=0.1,
            tooltip="How strongly the prompt is followed, away from the negative one; 1 = it alone.",
        ),
        io.Float.Input(
            "shared_attention",
            default=0.0,
            min=0.0,
            max=1.0,
            step=0.05,
            tooltip=(
                "Part of the steps, from the first on, in which self-attention looks where the video's does,"
                " which keeps its layout and takes one call more; 0 = none."
            ),
        ),
        io.Conditioning.Input(
            "negative",
            optional=True,
            tooltip="Nothing wired = the video's own prompt; or the one from Null-Text Optimization.",
        ),
    ]
