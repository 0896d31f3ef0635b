"""Load Video Model: a whole text-to-video or image-to-video network."""

from __future__ import annotations

from comfy_api.latest import io, ui

from ...host.files.model_files import listed_files, missing_from_all_message
from ...host.files.published_files import VIDEO_MODEL_FILES, links
from ...host.video_models.loader import VIDEO_MODELS, load_video_model
from ..base import ZoetropeNode


class LoadVideoModel(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeLoadVideoModel",
            display_name="Load Video Model",
            category="Zoetrope/Video models",
            description=(
                "Loads an open text-to-video or image-to-video network as an ordinary MODEL and says which"
                " one it found."
            ),
            search_aliases=[
                "text to video",
                "t2v",
                "i2v",
                "modelscope",
                "zeroscope",
                "videocrafter",
                "dynamicrafter",
                "lavie",
                "show-1",
                "potat1",
                "animov",
                "svd",
                "stable video diffusion",
                "sv3d",
                "image to video",
                "upscale video",
                "video super resolution",
                "文生视频",
                "图生视频",
                "视频模型",
                "视频放大",
            ],
            inputs=[
                io.Combo.Input(
                    "model_name",
                    options=listed_files(VIDEO_MODELS, VIDEO_MODEL_FILES),
                    extra_dict=links(VIDEO_MODEL_FILES),
                    tooltip=(
                        "A file from models/diffusion_models or models/checkpoints, as it was published:"
                        " original or diffusers key names, .safetensors, .ckpt, .pth, .pt or .bin."
                    ),
                )
            ],
            outputs=[
                io.Model.Output(
                    "MODEL", tooltip="Goes into any sampler; the latent batch are the frames of one video."
                ),
                io.Clip.Output(
                    "CLIP", tooltip="The file's text encoder; without one, using it says which to load."
                ),
                io.Vae.Output("VAE", tooltip="The file's VAE; without one, use Load VAE or Load Video VAE."),
                io.ClipVision.Output(
                    "CLIP_VISION", tooltip="The image encoder of image-to-video files; others have none."
                ),
                io.String.Output(
                    "STRING", tooltip="What was found: system, size, number of frames, what else to load."
                ),
            ],
        )

    @classmethod
    def validate_inputs(cls, model_name: str | None = None) -> bool | str:
        return missing_from_all_message(VIDEO_MODELS, model_name, VIDEO_MODEL_FILES) or True

    @classmethod
    def execute(cls, model_name: str) -> io.NodeOutput:
        found = load_video_model(model_name)
        text = found.description
        return io.NodeOutput(
            found.model, found.clip, found.vae, found.clip_vision, text, ui=ui.PreviewText(text)
        )
