"""Set Noise Scale (VideoCrafter): the scale of the noise schedule."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.video_models.videocrafter import with_noise_scale
from ..base import ZoetropeNode


class SetNoiseScale(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeSetNoiseScale",
            display_name="Set Noise Scale (VideoCrafter)",
            category="Zoetrope/Video models",
            description=(
                "Sets the scale that VideoCrafter's and DynamiCrafter's noise schedules fall to, for files"
                " that lost it."
            ),
            search_aliases=[
                "scale_arr",
                "base_scale",
                "dynamic rescale",
                "use_scale",
                "dynamicrafter",
                "videocrafter",
                "pruned",
                "噪声缩放",
            ],
            inputs=[
                io.Model.Input(
                    "model", tooltip="A VideoCrafter or DynamiCrafter MODEL from Load Video Model."
                ),
                io.Float.Input(
                    "base_scale",
                    default=0.3,
                    min=0.01,
                    max=1.0,
                    step=0.01,
                    tooltip=(
                        "Scale of the signal at high noise, a factor: 0.3 = DynamiCrafter 1024 and"
                        " VideoCrafter1 1024, 0.7 = DynamiCrafter 512 and VideoCrafter2, 1 = no scaling."
                    ),
                ),
            ],
            outputs=[io.Model.Output("MODEL", tooltip="Goes into any sampler and into DDIM Sigmas.")],
        )

    @classmethod
    def execute(cls, model, base_scale) -> io.NodeOutput:
        return io.NodeOutput(with_noise_scale(model, base_scale))
