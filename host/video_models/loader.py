"""A published video network's file as ComfyUI's MODEL,
with the CLIP, VAE and CLIP_VISION that the file carries.

What differs between systems is data of video_unets.systems.VideoSystem; a network that needs more than text
has a builder in MODEL_BUILDERS, which gives a BaseModel with an `extra_conds` of its own.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import comfy.clip_vision
import comfy.latent_formats
import comfy.model_base
import comfy.model_management
import comfy.model_patcher
import comfy.sd
import comfy.supported_models_base
import comfy.utils
import folder_paths
import torch
from comfy.patcher_extension import WrappersMP

from ...foreign_text import printable
from ...video_unets.file_shapes import FileShapes
from ...video_unets.formats import (
    VIDEO_UNETS,
    check_weights,
    describe_file,
    detect,
    network_weights,
    own_keys,
    shapes_of,
    unwrap,
)
from ...video_unets.systems import Sampling, VideoSystem
from ..files.model_files import find_listed_file, read_tensors, stays_in_file
from ..files.published_files import VIDEO_MODEL_FILES
from . import svd
from .base import VideoModel
from .lavie import LavieModel
from .show1 import Show1Model, add_thresholding
from .temporal_vae import is_temporal_vae, temporal_vae
from .videocrafter import VideoCrafterModel, projector_shapes

VIDEO_MODELS = ("diffusion_models", "checkpoints")
"""Folder keys that the loader lists, in the order in which a name is looked up."""

VIDEO_VAES = ("vae", "checkpoints")
"""Folder keys that Load Video VAE lists."""

LATENT_FORMATS: dict[str, Callable[[], comfy.latent_formats.LatentFormat]] = {
    "sd15": comfy.latent_formats.SD15,
    "sd_x4": comfy.latent_formats.SD_X4,
    "pixels": comfy.latent_formats.ChromaRadiance,  # RGB as it is; only the name is another model's
}
"""VideoSystem.latent -> how core scales the latents."""

TEXT_ENCODERS = {
    "openclip-h": (
        "Load CLIP with open_clip_pytorch_model.bin or another OpenCLIP ViT-H (an SD2.1 text encoder), type"
        " stable_diffusion"
    ),
    "clip-l": "the CLIP of an SD1.x checkpoint, or Load CLIP with clip_l.safetensors, type stable_diffusion",
    "t5-xxl": "Load CLIP with t5xxl_fp16.safetensors or another T5-XXL, type mochi, and Encode Text (Show-1)",
}

VAES = {
    "sd15": "Load VAE with the VAE of SD1.x or SD2.x (or Load Video VAE)",
    "sd_x4": "Load VAE with the VAE of stable-diffusion-x4-upscaler",
    "pixels": "Load VAE with pixel_space",
}

TEXT_PREFIXES = {
    "cond_stage_model.model.": comfy.sd.CLIPType.STABLE_DIFFUSION,
    "cond_stage_model.clip_h.transformer.": comfy.sd.CLIPType.STABLE_DIFFUSION,
    "cond_stage_model.clip_l.transformer.": comfy.sd.CLIPType.STABLE_DIFFUSION,
    "cond_stage_model.t5xxl.transformer.": comfy.sd.CLIPType.MOCHI,
}
"""Where a file has its text encoder -> what core's loader is told:
as VideoCrafter publishes it, then as core saves checkpoints.
"""

_READ_AT_ONCE = 256 * 1024**2  # bytes of weights that are copied before the file is mapped anew


class VideoModelConfig(comfy.supported_models_base.BASE):
    """What core wants to know about a model, made from a system and its network's settings."""

    unet_extra_config: dict = {}

    def __init__(
        self,
        system: VideoSystem,
        sampling: Sampling,
        settings: dict[str, Any],
        saved_names: Mapping[str, str],
    ):
        self.latent_format = LATENT_FORMATS[system.latent]
        self.memory_usage_factor = system.memory_usage_factor
        self.sampling_settings = {
            "beta_schedule": sampling.beta_schedule,
            "linear_start": sampling.linear_start,
            "linear_end": sampling.linear_end,
            "zsnr": sampling.zero_terminal_snr,
        }
        if sampling.sigma_max is not None:
            self.sampling_settings |= {"sigma_min": sampling.sigma_min, "sigma_max": sampling.sigma_max}
        self.published_prefix = system.prefix
        self.vae_key_prefix = [system.vae_prefix]
        self.clip_vision_prefix = system.vision_prefix
        self.saved_names = saved_names
        super().__init__(settings)

    def process_unet_state_dict_for_saving(self, state_dict):
        """Under the published file's names, so that what core's Save
        Model and Save Checkpoint write is a file of the same system.
        """
        return {
            self.published_prefix + self.saved_names.get(key, key): value for key, value in state_dict.items()
        }


ModelBuilder = Callable[
    [VideoModelConfig, VideoSystem, Sampling, Mapping[str, torch.Tensor], str], comfy.model_base.BaseModel
]
"""builder(config, system, sampling, the file's tensors, file
name) -> the BaseModel, its network's weights not yet set.
"""


def _by_class(kind: type[VideoModel]) -> ModelBuilder:
    """The builder of a model that takes nothing from the file but its network's weights."""
    return lambda config, system, sampling, _tensors, _file_name: kind(config, system, sampling)


def _videocrafter(config, system, sampling, tensors, file_name) -> comfy.model_base.BaseModel:
    model = VideoCrafterModel(config, system, sampling, projector_shapes(tensors, file_name))
    model.load_projector(tensors, file_name)
    return model


MODEL_BUILDERS: dict[str, ModelBuilder] = {
    "videocrafter": _videocrafter,
    "lavie": _by_class(LavieModel),
    "show1": _by_class(Show1Model),
    "svd": svd.build,
}
"""Module of a system's network in video_unets -> its builder, where VideoModel is not enough."""


@dataclass(frozen=True)
class LoadedVideoModel:
    """What a file gave. A part that it does not carry is an object that says so when it is used."""

    model: comfy.model_patcher.ModelPatcher
    clip: Any
    vae: Any
    clip_vision: Any
    system: VideoSystem
    description: str


def load_video_model(name: str) -> LoadedVideoModel:
    """A file listed by the loader. Raises ValueError when it is missing or no complete video network."""
    return video_model_from_file(find_listed_file(VIDEO_MODELS, name, VIDEO_MODEL_FILES))


def video_model_from_file(path: str) -> LoadedVideoModel:
    """`load_video_model` by path."""
    file_name = os.path.basename(path)
    tensors = unwrap(read_tensors(path, mapped=True))
    shapes = shapes_of(tensors, file_name)
    system = detect(shapes)
    if system.refine is not None:
        system = system.refine(tensors)
    model = _empty_model(system, shapes, tensors)
    weights, published = network_weights(system, tensors)
    check_weights(system, weights, model.diffusion_model.state_dict(), file_name, published)
    patcher = comfy.model_patcher.CoreModelPatcher(
        model,
        load_device=comfy.model_management.get_torch_device(),
        offload_device=comfy.model_management.unet_offload_device(),
    )
    if patcher.is_dynamic():
        model.diffusion_model.load_state_dict(
            weights, assign=True
        )  # stays in the file, as core does with its dynamic memory
    else:
        _copy_weights(model.diffusion_model, system, weights, path)
    patcher.add_wrapper_with_key(WrappersMP.OUTER_SAMPLE, "zoetrope_video_model", _LatentCheck(system))
    if system.latent == "pixels":
        add_thresholding(patcher)
    clip, vae, clip_vision, carried = _other_parts(system, tensors, file_name)
    description = _describe(system, patcher, carried, file_name)
    logging.info(description)
    return LoadedVideoModel(patcher, clip, vae, clip_vision, system, description)


def load_video_vae(name: str) -> comfy.sd.VAE:
    """A file listed by Load Video VAE. Raises ValueError when it is missing or has no VAE."""
    return vae_from_tensors(read_tensors(find_listed_file(VIDEO_VAES, name), mapped=True), name)


def vae_from_tensors(content: Mapping, file_name: str) -> comfy.sd.VAE:
    """A file's content as VAE; of whole systems (ModelScope's VQGAN_autoencoder.pth, VideoCrafter's
    model.ckpt) the part that is one.

    Core's Load VAE does not look behind prefixes and does not know diffusers' temporal decoder. Raises
    ValueError when there is no VAE.
    """
    tensors = unwrap(content)
    parts = [
        _without_prefix(tensors, prefix)
        for prefix in dict.fromkeys(system.vae_prefix for system in VIDEO_UNETS.values())
    ]
    tensors = next(
        (part for part in parts if any(key.split(".")[0].endswith("encoder") for key in part)), tensors
    )
    if is_temporal_vae(tensors):
        return temporal_vae(tensors, file_name)
    vae = comfy.sd.VAE(sd=tensors)
    if vae.first_stage_model is None:
        found = describe_file(shapes_of(tensors, file_name))
        raise ValueError(
            f"'{printable(file_name)}' has no VAE: expected keys such as "
            f"'first_stage_model.decoder.conv_in.weight', found {found}."
        )
    return vae


def _empty_model(
    system: VideoSystem, shapes: FileShapes, tensors: Mapping[str, torch.Tensor]
) -> comfy.model_base.BaseModel:
    """The BaseModel in the precision that core chooses for this size on this machine."""
    sampling = system.sampling(tensors)
    own = dict.fromkeys(own_keys(system, shapes))
    settings = system.settings(
        shapes.without_prefix(system.prefix).renamed(lambda key: key if key in own else None)
    )
    config = VideoModelConfig(system, sampling, settings, system.saved_names(own))
    dtype = comfy.model_management.unet_dtype(
        model_params=comfy.utils.calculate_parameters(tensors, system.prefix),
        supported_dtypes=config.supported_inference_dtypes,
        weight_dtype=comfy.utils.weight_dtype(tensors, system.prefix),
    )
    cast = comfy.model_management.unet_manual_cast(
        dtype, comfy.model_management.get_torch_device(), config.supported_inference_dtypes
    )
    config.set_inference_dtype(dtype, cast)
    module = system.network().__module__.split(".")[-2]
    return MODEL_BUILDERS.get(module, _by_class(VideoModel))(
        config, system, sampling, tensors, shapes.file_name
    )


def _copy_weights(
    network: torch.nn.Module, system: VideoSystem, weights: Mapping[str, torch.Tensor], path: str
) -> None:
    """Copies the weights of a mapped file into the network, a part at a time.

    What was read of a mapping stays in memory until the mapping
    goes; mapping the file again for every part keeps that small.
    """
    if not stays_in_file(path):
        network.load_state_dict(weights)
        return
    for keys in _parts(weights):
        part, _ = network_weights(system, unwrap(read_tensors(path, mapped=True)))
        network.load_state_dict({key: part[key] for key in keys}, strict=False)
        del part


def _parts(weights: Mapping[str, torch.Tensor]) -> Iterator[list[str]]:
    """Keys in groups of about _READ_AT_ONCE bytes, in the order of the file."""
    group: list[str] = []
    size = 0
    for key, value in weights.items():
        group.append(key)
        size += value.numel() * value.element_size()
        if size >= _READ_AT_ONCE:
            yield group
            group, size = [], 0
    if group:
        yield group


class _LatentCheck:
    """OUTER_SAMPLE wrapper that looks at the latents once, before the first step."""

    def __init__(self, system: VideoSystem):
        self.system = system

    def __call__(self, executor, noise: torch.Tensor, *args, **kwargs):
        latent = LATENT_FORMATS[self.system.latent]()
        if noise.ndim != 4:
            raise ValueError(
                f"{self.system.title} takes the frames of a video as a batch, latents of shape (F, C, H, W);"
                f" these have shape {tuple(noise.shape)}. Use Empty Latent Image with batch_size = number of"
                " frames."
            )
        if noise.shape[1] != latent.latent_channels:
            raise ValueError(
                f"{self.system.title} takes latents of {latent.latent_channels} channels, these have"
                f" {noise.shape[1]}; encode the frames with the VAE that belongs to it."
            )
        height, width = (size * latent.spacial_downscale_ratio for size in noise.shape[2:])
        if height % self.system.size_multiple or width % self.system.size_multiple:
            raise ValueError(
                f"{self.system.title} needs a width and height that are multiples of"
                f" {self.system.size_multiple} pixels, got {width} x {height}; change the size of the"
                " latents."
            )
        return executor(noise, *args, **kwargs)


class MissingPartError(AttributeError, ValueError):
    """A ValueError for who uses a part that is not there, an
    AttributeError for who only asks (`hasattr`) what it can do.
    """


class MissingPart:
    """Stands for a CLIP, VAE or CLIP_VISION that a file
    does not carry; using it says what to wire instead.
    """

    def __init__(self, message: str):
        self.message = message

    def __getattr__(self, name: str):
        if name.startswith("__"):  # Python's own questions, also before there is a message
            raise AttributeError(name)
        raise MissingPartError(self.message)


def _other_parts(
    system: VideoSystem, tensors: Mapping[str, torch.Tensor], file_name: str
) -> tuple[Any, Any, Any, list[str]]:
    """CLIP, VAE and CLIP_VISION of a whole-system file through
    core's own loaders, and the names of those that were found.
    """
    text_prefix = next(
        (prefix for prefix in TEXT_PREFIXES if any(key.startswith(prefix) for key in tensors)), None
    )
    pixels = _without_prefix(tensors, system.vae_prefix)
    clip = MissingPart(f"this file carries no text encoder; {_text_advice(system)}.")
    vae = MissingPart(f"this file carries no VAE; wire {VAES[system.latent]}.")
    clip_vision = MissingPart(
        "this file carries no image encoder; wire Load CLIP Vision if a node asks for one."
    )
    carried = []
    if text_prefix is not None:
        embeddings = folder_paths.get_folder_paths("embeddings")
        text = _without_prefix(tensors, text_prefix)
        clip = comfy.sd.load_text_encoder_state_dicts(
            [text], embeddings, clip_type=TEXT_PREFIXES[text_prefix]
        )
        carried.append("CLIP")
    if pixels:
        vae = vae_from_tensors(pixels, file_name)
        carried.append("VAE")
    encoder = {key: value for key, value in tensors.items() if key.startswith(system.vision_prefix)}
    if encoder:
        clip_vision = comfy.clip_vision.load_clipvision_from_sd(encoder, system.vision_prefix, True)
        carried.append("CLIP_VISION")
    return clip, vae, clip_vision, carried


def _text_advice(system: VideoSystem) -> str:
    """What to wire in place of a CLIP that the file lacks."""
    if not system.text_encoder:
        return (
            f"{system.title} reads no text: an image tells it what to show, through CLIP Vision and the node"
            " Animate Image (SVD)"
        )
    return f"wire {TEXT_ENCODERS[system.text_encoder]} into CLIP Text Encode"


def _without_prefix(tensors: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {key[len(prefix) :]: value for key, value in tensors.items() if key.startswith(prefix)}


def _describe(system: VideoSystem, patcher, carried: list[str], file_name: str) -> str:
    """What the loader shows: the system, its numbers, what else came with it and what is still needed."""
    parameters = sum(value.numel() for value in patcher.model.diffusion_model.parameters())
    lines = [
        f"{printable(file_name)}: {system.title}",
        f"{parameters / 1e6:.0f} million parameters, {str(patcher.model.get_dtype()).removeprefix('torch.')}",
        (
            f"{'exactly' if system.fixed_length else 'trained for'} {system.num_frames} frames, "
            f"width and height multiples of {system.size_multiple}"
        ),
        f"in the file: MODEL{''.join(', ' + part for part in carried)}",
    ]
    if "CLIP" not in carried and system.text_encoder:
        lines.append(f"text encoder: {TEXT_ENCODERS[system.text_encoder]}")
    return "\n".join(lines)
