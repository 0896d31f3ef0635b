"""Combine Content and Motion: the frames that a dual-stream MODEL has made."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.media.motion_latents import COMBINERS, FRAME_BY_FRAME, CombineSettings, combine_streams
from ..base import ZoetropeNode


class CombineContentMotion(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeCombineContentMotion",
            display_name="Combine Content and Motion",
            category="Zoetrope/Temporal layers",
            description="Makes of sampled content and motion the latents of a video's frames.",
            search_aliases=[
                "dual stream",
                "DSDN",
                "motion combiner",
                "smooth frames",
                "双流",
                "内容与运动",
                "运动合成",
            ],
            inputs=[
                io.Latent.Input("samples", tooltip="What a sampler made of the split latents."),
                io.Float.Input(
                    "motion_weight",
                    default=0.5,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip=(
                        "How much frames follow the motion: 0 keeps the content as it is, 1 takes the first"
                        " frame and motion alone."
                    ),
                ),
                io.Combo.Input(
                    "combiner",
                    options=list(COMBINERS),
                    default=FRAME_BY_FRAME,
                    advanced=True,
                    tooltip=(
                        "frame by frame: each frame follows the one before. least squares: earlier and later"
                        " frames count alike, for a motion_weight below 1."
                    ),
                ),
                io.Latent.Input(
                    "split",
                    optional=True,
                    tooltip=(
                        "The LATENT of Split Into Content and Motion; needed only where a node between has"
                        " lost what it says, as Save Latent and Load Latent do."
                    ),
                ),
            ],
            outputs=[io.Latent.Output("LATENT", tooltip="The frames; goes into VAE Decode.")],
        )

    @classmethod
    def execute(cls, samples, split=None, **settings) -> io.NodeOutput:
        return io.NodeOutput(combine_streams(samples, CombineSettings(**settings), split))
