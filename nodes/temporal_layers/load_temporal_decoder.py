"""Load Temporal Decoder: a file of temporal layers for a VAE."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.files.model_files import listed_files, missing_from_all_message
from ...host.video_models.temporal_decoder import DECODER_FILES, load_temporal_decoder
from ..base import ZoetropeNode
from .inputs import TemporalDecoder


class LoadTemporalDecoder(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeLoadTemporalDecoder",
            display_name="Load Temporal Decoder",
            category="Zoetrope/Temporal layers",
            description=(
                "Loads temporal layers for the decoder of an image VAE, from a file of their own or out of"
                " Stable Video Diffusion's."
            ),
            search_aliases=[
                "temporal vae",
                "video vae",
                "svd vae",
                "svd decoder",
                "flicker",
                "时间解码器",
                "视频 VAE",
            ],
            inputs=[
                io.Combo.Input(
                    "file_name",
                    options=listed_files(DECODER_FILES),
                    tooltip=(
                        "A file from models/animatediff_models that Save Temporal Layers wrote, or Stable"
                        " Video Diffusion's VAE or checkpoint from models/vae or models/checkpoints."
                    ),
                )
            ],
            outputs=[TemporalDecoder.Output("TEMPORAL_DECODER", tooltip="Goes into Apply Temporal Decoder.")],
        )

    @classmethod
    def validate_inputs(cls, file_name: str | None = None) -> bool | str:
        return missing_from_all_message(DECODER_FILES, file_name) or True

    @classmethod
    def execute(cls, file_name: str) -> io.NodeOutput:
        return io.NodeOutput(load_temporal_decoder(file_name))
