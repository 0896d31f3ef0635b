"""Null-Text Optimization: a negative prompt for every step that keeps guided sampling on the inversion."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.sampling.null_text import optimise_null_text
from ...samplers.null_text import NullTextSettings
from ..base import ZoetropeNode
from .inputs import Inversion


class OptimiseNullText(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeOptimiseNullText",
            display_name="Null-Text Optimization",
            category="Zoetrope/Inversion",
            description=(
                "Changes the negative prompt of each step until guided sampling gives an inverted video back."
            ),
            search_aliases=[
                "null text inversion",
                "null-text",
                "unconditional embedding",
                "optimize negative prompt",
                "prompt to prompt",
                "空文本反演",
                "优化",
            ],
            inputs=_inputs(),
            outputs=[
                io.Conditioning.Output(
                    "CONDITIONING",
                    tooltip="The negative prompts of all steps; goes where a negative one goes.",
                ),
                io.String.Output("STRING", tooltip="Updates and the largest loss that was left, in words."),
            ],
        )

    @classmethod
    def execute(cls, model, inversion, negative, **settings) -> io.NodeOutput:
        return io.NodeOutput(*optimise_null_text(model, inversion, negative, NullTextSettings(**settings)))


def _inputs() -> list[io.Input]:
    """The MODEL, its inversion and the fields of NullTextSettings."""
    return [
        io.Model.Input("model", tooltip="The MODEL that the video was inverted with."),
        Inversion.Input("inversion", tooltip="From Invert Video, which knows the video's own prompt."),
        io.Conditioning.Input("negative", tooltip="Where it begins: the empty text, as published."),
        io.Float.Input(
            "cfg",
            default=7.5,
            min=1.0,
            max=100.0,
            step=0.1,
            tooltip="The guidance that is sampled with afterwards; 7.5 as published.",
        ),
        io.Int.Input(
            "iterations", default=10, min=1, max=1000, tooltip="The most updates of a step; 10 as published."
        ),
        io.Float.Input(
            "learning_rate",
            default=0.01,
            min=1e-5,
            max=1.0,
            step=1e-4,
            round=False,
            advanced=True,
            tooltip="Of the first step; it falls by 1 % of this at each step. 0.01 as published.",
        ),
        io.Float.Input(
            "tolerance",
            default=1e-5,
            min=0.0,
            max=1.0,
            step=1e-6,
            round=False,
            advanced=True,
            tooltip="The loss at which the first step is done, more at later ones. 0.00001 as published.",
        ),
    ]
