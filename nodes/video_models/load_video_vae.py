"""Load Video VAE: the VAE out of a published file."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.files.model_files import listed_files, missing_from_all_message
from ...host.files.published_files import VIDEO_VAE_FILES, links
from ...host.video_models.vaes import VIDEO_VAES, load_video_vae
from ..base import ZoetropeNode


class LoadVideoVAE(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeLoadVideoVAE",
            display_name="Load Video VAE",
            category="Zoetrope/Video models",
            description="Loads the VAE out of the files that video networks are published with.",
            search_aliases=[
                "vae",
                "vqgan",
                "modelscope vae",
                "first_stage_model",
                "svd vae",
                "temporal decoder",
                "视频 VAE",
            ],
            inputs=[
                io.Combo.Input(
                    "vae_name",
                    options=listed_files(VIDEO_VAES),
                    extra_dict=links(VIDEO_VAE_FILES),
                    tooltip=(
                        "A file from models/vae or models/checkpoints: a VAE, or a whole system whose VAE is"
                        " wanted."
                    ),
                )
            ],
            outputs=[io.Vae.Output("VAE", tooltip="Goes into VAE Decode and VAE Encode.")],
        )

    @classmethod
    def validate_inputs(cls, vae_name: str | None = None) -> bool | str:
        return missing_from_all_message(VIDEO_VAES, vae_name, VIDEO_VAE_FILES) or True

    @classmethod
    def execute(cls, vae_name: str) -> io.NodeOutput:
        return io.NodeOutput(load_video_vae(vae_name))
