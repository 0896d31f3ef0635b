"""New Temporal Decoder: untrained layers for the decoder of a VAE."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.video_models.temporal_decoder import new_temporal_decoder
from ..base import ZoetropeNode
from .inputs import TemporalDecoder


class NewTemporalDecoder(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeNewTemporalDecoder",
            display_name="New Temporal Decoder",
            category="Zoetrope/Temporal layers",
            description=(
                "Makes untrained temporal layers for the decoder of an image VAE: where training begins."
            ),
            search_aliases=[
                "temporal vae",
                "video vae",
                "vidvae",
                "align your latents",
                "temporal decoder layers",
                "时间解码器",
                "视频 VAE",
            ],
            inputs=[io.Vae.Input("vae", tooltip="The VAE that the layers are for; it is not changed.")],
            outputs=[
                TemporalDecoder.Output(
                    "TEMPORAL_DECODER", tooltip="Goes into Apply Temporal Decoder or Save Temporal Layers."
                )
            ],
        )

    @classmethod
    def execute(cls, vae) -> io.NodeOutput:
        return io.NodeOutput(new_temporal_decoder(vae))
