"""Combine Noise: one start noise laid over another."""

from __future__ import annotations

from comfy_api.latest import io

from ...samplers.noise_layers import NOISE_SUMS, NORMALIZED_SUM, LayeredNoise, NoiseLayerSettings
from ..base import ZoetropeNode


class CombineNoise(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeCombineNoise",
            display_name="Combine Noise",
            category="Zoetrope/Sampling",
            description="Start noise out of two: one laid over the other, everywhere or where a mask is.",
            search_aliases=[
                "noise layer",
                "noise layers",
                "add noise",
                "replace noise",
                "blend noise",
                "mix noise",
                "variation seed",
                "normalized sum",
                "animatediff evolved",
                "噪声层",
                "混合噪声",
                "叠加噪声",
            ],
            inputs=[
                io.Noise.Input("noise", tooltip="The noise below, such as RandomNoise or Noise per Frame."),
                io.Noise.Input("layer", tooltip="The noise that is laid over it."),
                *_sum_inputs(),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="Where the layer acts: one mask, or one for each frame. Without: everywhere.",
                ),
            ],
            outputs=[
                io.Noise.Output("NOISE", tooltip="Goes into SamplerCustomAdvanced, or into another node.")
            ],
        )

    @classmethod
    def execute(cls, noise, layer, mask=None, **settings) -> io.NodeOutput:
        return io.NodeOutput(LayeredNoise(noise, layer, NoiseLayerSettings(**settings), mask))


def _sum_inputs() -> list[io.Input]:
    """How much of each noise: the fields of NoiseLayerSettings."""
    return [
        io.Combo.Input(
            "combine",
            options=list(NOISE_SUMS),
            default=NORMALIZED_SUM,
            tooltip=(
                "normalized sum: as strong as noise has to be. add: the layer on top of all that is below."
                " add weighted: the layer in place of a part of it."
            ),
        ),
        io.Float.Input(
            "weight",
            default=0.5,
            min=0.0,
            max=10.0,
            step=0.001,
            tooltip=(
                "How much of the layer; 0 = none. normalized sum: at most 1, which replaces the noise below."
            ),
        ),
        io.Float.Input(
            "balance",
            default=1.0,
            min=0.0,
            max=100.0,
            step=0.001,
            advanced=True,
            tooltip=(
                "add weighted only: how much of the weight the noise below loses; 1 = as much as it, 0 = none"
                " is lost."
            ),
        ),
    ]
