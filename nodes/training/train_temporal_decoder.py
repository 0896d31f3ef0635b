"""Train Temporal Decoder: the layers over frames of a VAE's decoder, on frames of videos."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.tuning.decoder_training import train_temporal_decoder
from ...host.tuning.progress import loss_curve, told
from ..base import ZoetropeNode
from ..temporal_layers.inputs import TemporalDecoder
from .inputs import decoder_run, options_inputs, recipe_inputs, run_outputs


class TrainTemporalDecoder(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeTrainTemporalDecoder",
            display_name="Train Temporal Decoder",
            category="Zoetrope/Training",
            description=(
                "Trains the layers over frames of a VAE's decoder on videos, so that it flickers less."
            ),
            search_aliases=["train vae", "temporal vae", "video vae", "flicker", "训练时间解码器", "闪烁"],
            inputs=[
                io.Vae.Input("vae", tooltip="The VAE of the checkpoint; it is not changed."),
                TemporalDecoder.Input(
                    "temporal_decoder",
                    tooltip="From New Temporal Decoder or Load Temporal Decoder; a copy of it is trained.",
                ),
                io.Image.Input(
                    "images",
                    tooltip=(
                        "Frames of one or more videos, one after another, num_frames or a multiple of each."
                    ),
                ),
                io.Int.Input(
                    "num_frames",
                    default=8,
                    min=2,
                    max=1024,
                    tooltip="Frames of a clip, which are decoded together. More cost memory.",
                ),
                io.Float.Input(
                    "change_weight",
                    default=1.0,
                    min=0.0,
                    max=100.0,
                    step=0.1,
                    tooltip="How much changes from frame to frame count beside the frames: against flicker.",
                ),
                *recipe_inputs(1e-4),
                *options_inputs(),
            ],
            outputs=[
                TemporalDecoder.Output(
                    "TEMPORAL_DECODER",
                    tooltip="The trained layers; goes into Apply Temporal Decoder and Save Temporal Layers.",
                ),
                *run_outputs(),
            ],
        )

    @classmethod
    def execute(cls, vae, temporal_decoder, **told_run) -> io.NodeOutput:
        trained, ran = train_temporal_decoder(vae, temporal_decoder, decoder_run(**told_run))
        return io.NodeOutput(trained, loss_curve(ran.losses), told(ran))
