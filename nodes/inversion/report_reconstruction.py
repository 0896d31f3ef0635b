"""Reconstruction Report: how far latents are from those that they should be."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.sampling.reconstruction import ReconstructionLimits, report_reconstruction
from ..base import ZoetropeNode
from .inputs import largest_error


class ReportReconstruction(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeReportReconstruction",
            display_name="Reconstruction Report",
            category="Zoetrope/Inversion",
            description=(
                "Says how well a video came back from its noise, and ends the run when it did not come back"
                " well enough."
            ),
            search_aliases=["psnr", "reconstruction error", "round trip", "compare latents", "重建", "误差"],
            inputs=_inputs(),
            outputs=[
                io.Latent.Output("LATENT", tooltip="The reconstruction, as it came in."),
                io.String.Output("STRING", tooltip="The numbers in words."),
                io.Float.Output("ERROR", tooltip="||reconstruction - video|| / ||video|| of the latents."),
                io.Float.Output(
                    "PSNR", tooltip="Of the decoded frames, in dB, at most 100; 0 where no VAE is wired."
                ),
            ],
        )

    @classmethod
    def execute(cls, latent, reconstruction, vae=None, **limits) -> io.NodeOutput:
        limits = ReconstructionLimits(**limits)
        told, error, psnr = report_reconstruction(latent, reconstruction, limits, vae)
        return io.NodeOutput(reconstruction, told, error, psnr)


def _inputs() -> list[io.Input]:
    return [
        io.Latent.Input("latent", tooltip="The video as it went into the inversion."),
        io.Latent.Input("reconstruction", tooltip="What was sampled from its noise."),
        largest_error("Ends with an error above this relative error of the latents; 0 = off."),
        io.Float.Input(
            "least_psnr",
            default=0.0,
            min=0.0,
            max=100.0,
            step=0.5,
            tooltip="Ends with an error below this PSNR of the decoded frames, in dB; 0 = off.",
        ),
        io.Vae.Input(
            "vae", optional=True, tooltip="Decodes both for the PSNR, a few frames at a time; none = no PSNR."
        ),
    ]
