"""Denoise per Frame: how far each frame of a clip is made anew."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.media.kept_frames import set_denoise
from ..animatediff.inputs import FrameValues
from ..base import ZoetropeNode
from ..videos_in_batch import frames_per_video
from .inputs import Floats


class SetFrameDenoise(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeSetFrameDenoise",
            display_name="Denoise per Frame",
            category="Zoetrope/Sampling",
            description=(
                "Says for every frame of a clip, and every place, how far it is made anew, for ComfyUI's"
                " Differential Diffusion."
            ),
            search_aliases=[
                "denoise schedule",
                "denoise over frames",
                "differential diffusion",
                "video to video",
                "vid2vid",
                "noise mask",
                "soft inpainting",
                "fill a moving region",
                "逐帧降噪",
                "降噪幅度",
                "视频转视频",
            ],
            inputs=[
                io.Latent.Input("latent", tooltip="The clip, from Video to Latents or VAE Encode."),
                io.MultiType.Input(
                    io.Float.Input(
                        "denoise",
                        default=1.0,
                        min=0.0,
                        max=1.0,
                        step=0.01,
                        tooltip=(
                            "0 = a frame stays, 1 = it is made anew from noise, 0.6 = it joins for the last"
                            " 0.6 of the schedule. One number, a list from Values over Frames, or Vary Value"
                            " with a MASK for places."
                        ),
                    ),
                    [Floats, FrameValues],
                ),
                frames_per_video(
                    "Frames of one video when the latent holds several one after another; 0 = all frames are"
                    " one video. Each video gets the same values."
                ),
            ],
            outputs=[
                io.Latent.Output(
                    "LATENT",
                    tooltip="With a noise mask; goes into a sampler whose MODEL has Differential Diffusion.",
                )
            ],
        )

    @classmethod
    def execute(cls, latent, denoise, frames_per_video) -> io.NodeOutput:
        return io.NodeOutput(set_denoise(latent, denoise, frames_per_video))
