"""Apply Temporal Decoder: temporal layers on a VAE."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.video_models.temporal_decoder import DecoderSettings, apply_temporal_decoder
from ..base import ZoetropeNode
from ..videos_in_batch import frames_per_video
from .inputs import TemporalDecoder


class ApplyTemporalDecoder(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeApplyTemporalDecoder",
            display_name="Apply Temporal Decoder",
            category="Zoetrope/Temporal layers",
            description=(
                "Lets the frames of a video see their neighbours while a VAE decodes them; the VAE itself is"
                " not changed."
            ),
            search_aliases=[
                "temporal vae",
                "video vae",
                "vidvae",
                "svd decoder",
                "flicker",
                "vae decode video",
                "时间解码器",
                "视频 VAE",
                "闪烁",
            ],
            inputs=[
                io.Vae.Input("vae", tooltip="The VAE of an image checkpoint: SD1.x, SD2.x or SDXL."),
                TemporalDecoder.Input(
                    "temporal_decoder", tooltip="From Load Temporal Decoder or New Temporal Decoder."
                ),
                io.Float.Input(
                    "strength",
                    default=1.0,
                    min=0.0,
                    max=2.0,
                    step=0.01,
                    tooltip=(
                        "How much of what the layers add is added, a factor: 1 = as trained, 0 = off (exactly"
                        " the plain VAE)."
                    ),
                ),
                *_frame_inputs(),
            ],
            outputs=[
                io.Vae.Output(
                    "VAE", tooltip="Goes into VAE Decode, VAE Decode (Tiled) or Latents to Video File."
                )
            ],
        )

    @classmethod
    def execute(cls, vae, temporal_decoder, **settings) -> io.NodeOutput:
        return io.NodeOutput(apply_temporal_decoder(vae, temporal_decoder, DecoderSettings(**settings)))


def _frame_inputs() -> list[io.Input]:
    """Which frames are decoded together."""
    return [
        io.Int.Input(
            "chunk_frames",
            default=8,
            min=1,
            max=512,
            advanced=True,
            tooltip="Frames decoded at once, without those around them: fewer need less memory.",
        ),
        io.Int.Input(
            "chunk_overlap",
            default=4,
            min=0,
            max=64,
            advanced=True,
            tooltip=(
                "Further frames on both sides of a chunk, so that its first and last frame have neighbours"
                " too. 0 = none, with seams there."
            ),
        ),
        frames_per_video(
            "Frames of one video when the latent batch holds several videos one after another; 0"
            " = the whole batch is one video."
        ),
    ]
