"""Invert Video: the noise that a MODEL makes a video of."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.sampling.invert_video import invert_video
from ...samplers.inversion import InversionSettings
from ..base import ZoetropeNode
from .inputs import Inversion, largest_error, step_inputs


class InvertVideo(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeInvertVideo",
            display_name="Invert Video",
            category="Zoetrope/Inversion",
            description=(
                "Finds the noise from which a MODEL samples a given video, to sample from it again with"
                " another prompt."
            ),
            search_aliases=[
                "ddim inversion",
                "inverse",
                "unsampler",
                "edit video",
                "video to video",
                "tune-a-video",
                "noise from video",
                "rf inversion",
                "反演",
                "视频编辑",
            ],
            inputs=_inputs(),
            outputs=_outputs(),
        )

    @classmethod
    def execute(cls, model, positive, latent, sigmas, largest_error, **settings) -> io.NodeOutput:
        settings = InversionSettings(**settings)
        return io.NodeOutput(*invert_video(model, positive, latent, sigmas, settings, largest_error))


def _inputs() -> list[io.Input]:
    return [
        io.Model.Input(
            "model",
            tooltip="Any MODEL, with the motion module, LoRAs and windows that it is sampled with later.",
        ),
        io.Conditioning.Input(
            "positive", tooltip="What the video shows: its own prompt, not that of the edit."
        ),
        io.Latent.Input("latent", tooltip="The video, from VAE Encode or Video to Latents."),
        io.Sigmas.Input("sigmas", tooltip="As for sampling, from BasicScheduler; the node goes them upward."),
        *step_inputs(),
        largest_error(
            "Ends with an error when the video, sampled back, differs by more than this part of it; 0 = off,"
            " it is not sampled back, which saves as many steps."
        ),
    ]


def _outputs() -> list[io.Output]:
    return [
        io.Latent.Output("LATENT", tooltip="The noise; goes into a sampler that adds none."),
        Inversion.Output("INVERSION", tooltip="The whole way from the video to the noise."),
        io.Sigmas.Output(
            "SIGMAS", tooltip="The noise levels back to the video; goes into SamplerCustomAdvanced."
        ),
        io.String.Output("STRING", tooltip="Steps, corrections and how well the video comes back, in words."),
    ]
