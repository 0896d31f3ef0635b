"""Nodes that load whole video networks, what belongs to them, and their LoRAs."""

from __future__ import annotations

from comfy_api.latest import io, ui

from ..host.files.model_files import (
    listed_files,
    missing_file_message,
    missing_from_all_message,
    model_file_names,
)
from ..host.files.published_files import VIDEO_MODEL_FILES, VIDEO_VAE_FILES, links
from ..host.video_models.loader import VIDEO_MODELS, load_video_model
from ..host.video_models.loras import LORAS, load_video_lora
from ..host.video_models.vaes import VIDEO_VAES, load_video_vae
from ..samplers.noise import ReferenceNoise
from .base import ZoetropeNode

CATEGORY = "Zoetrope/Video models"


class LoadVideoModel(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeLoadVideoModel",
            display_name="Load Video Model",
            category=CATEGORY,
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


class LoadVideoVAE(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeLoadVideoVAE",
            display_name="Load Video VAE",
            category=CATEGORY,
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


class LoadVideoLora(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeLoadVideoLora",
            display_name="Load Video LoRA",
            category=CATEGORY,
            description=(
                "Adds a LoRA to a video network, also one with temporal layers or in the layouts of video"
                " trainers."
            ),
            search_aliases=[
                "lora",
                "stable lora",
                "cloneofsimo",
                "text to video lora",
                "temporal lora",
                "modelscope lora",
                "svd lora",
                "视频 LoRA",
            ],
            inputs=[
                io.Model.Input("model", tooltip="From Load Video Model or another Load Video LoRA."),
                io.Combo.Input(
                    "lora_name",
                    options=model_file_names(LORAS),
                    tooltip=(
                        "A file from models/loras that was trained on this network: stable_lora, a"
                        " cloneofsimo list (.pt), diffusers or kohya key names."
                    ),
                ),
                io.Float.Input(
                    "strength",
                    default=1.0,
                    min=-10.0,
                    max=10.0,
                    step=0.01,
                    tooltip=(
                        "How much of it is added, a factor: 1 = as trained, 0 = off, negative = the opposite."
                    ),
                ),
            ],
            outputs=[io.Model.Output("MODEL", tooltip="Goes into any sampler.")],
        )

    @classmethod
    def validate_inputs(cls, lora_name: str | None = None) -> bool | str:
        return missing_file_message(LORAS, lora_name) or True

    @classmethod
    def execute(cls, model, lora_name: str, strength: float) -> io.NodeOutput:
        return io.NodeOutput(load_video_lora(model, lora_name, strength))


class MakeReferenceNoise(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeMakeReferenceNoise",
            display_name="Reference Noise",
            category="Zoetrope/Sampling",
            description="Start noise in the order in which the published code of video networks draws it.",
            search_aliases=["random noise", "noise", "seed", "reproduce", "reference seed", "噪声", "种子"],
            inputs=[
                io.Int.Input(
                    "noise_seed",
                    default=0,
                    min=0,
                    max=0xFFFFFFFFFFFFFFFF,
                    control_after_generate=True,
                    tooltip=(
                        "Seed of the noise; the same seed as in the published code's run on the CPU gives the"
                        " same noise."
                    ),
                )
            ],
            outputs=[
                io.Noise.Output("NOISE", tooltip="Goes into SamplerCustomAdvanced in place of RandomNoise.")
            ],
        )

    @classmethod
    def execute(cls, noise_seed: int) -> io.NodeOutput:
        return io.NodeOutput(ReferenceNoise(noise_seed))


NODES = [LoadVideoModel, LoadVideoVAE, LoadVideoLora, MakeReferenceNoise]
