"""Reuse Deep Features: some steps compute the outer blocks of the network only."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.sampling.reuse_deep_features import reuse_deep_features
from ...samplers.deep_features import ReuseSettings
from ..base import ZoetropeNode


class ReuseDeepFeatures(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeReuseDeepFeatures",
            display_name="Reuse Deep Features",
            category="Zoetrope/Sampling",
            description=(
                "Samples faster and not quite the same: between whole steps, the middle of the network is not"
                " computed, but taken from the last whole step (DeepCache)."
            ),
            search_aliases=[
                "deepcache",
                "speed up",
                "faster sampling",
                "cache",
                "acceleration",
                "skip blocks",
                "加速",
                "特征缓存",
            ],
            inputs=[
                io.Model.Input(
                    "model",
                    tooltip="A MODEL with a UNet: SD1.x, SD2.x, SDXL, a motion module, a video model.",
                ),
                *_step_inputs(),
                *_percent_inputs(),
            ],
            outputs=[io.Model.Output("MODEL", tooltip="Goes into any sampler.")],
        )

    @classmethod
    def execute(cls, model, **settings) -> io.NodeOutput:
        return io.NodeOutput(reuse_deep_features(model, ReuseSettings(**settings)))


def _step_inputs() -> list[io.Input]:
    return [
        io.Int.Input(
            "interval",
            default=2,
            min=1,
            max=100,
            tooltip=(
                "One step in so many is whole. 1 = every step, no change; 2 = every other one; larger ="
                " faster, and further from the plain result."
            ),
        ),
        io.Int.Input(
            "depth",
            default=1,
            min=1,
            max=11,
            tooltip=(
                "Blocks at each end of the network that every step computes. 1 = fastest; larger = closer to"
                " the plain result. SD1.x has 12 blocks at each end, SDXL 9."
            ),
        ),
    ]


def _percent_inputs() -> list[io.Input]:
    return [
        io.Float.Input(
            "start_percent",
            default=0.0,
            min=0.0,
            max=1.0,
            step=0.001,
            advanced=True,
            tooltip="Steps before this part of the noise schedule are whole: 0 = none.",
        ),
        io.Float.Input(
            "end_percent",
            default=1.0,
            min=0.0,
            max=1.0,
            step=0.001,
            advanced=True,
            tooltip="Steps behind this part of the noise schedule are whole: 1 = none.",
        ),
    ]
