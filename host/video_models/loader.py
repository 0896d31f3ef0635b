"""A published video network's file as ComfyUI's MODEL,
with the CLIP, VAE and CLIP_VISION that the file carries.

What differs between systems is data of video_unets.systems.VideoSystem; what a network is given besides text
is the business of its class in models.MODELS.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import comfy.model_base
import comfy.model_management
import comfy.model_patcher
import comfy.utils
from comfy.patcher_extension import WrappersMP

from ...foreign_text import printable
from ...video_unets.formats import check_weights, network_weights, own_keys
from ...video_unets.systems import VideoSystem
from ..files.model_files import find_listed_file
from ..files.published_files import VIDEO_MODEL_FILES
from ..sampling.dynamic_thresholding import QUANTILE, ThresholdSettings, add_thresholding
from .config import VideoModelConfig
from .latents import LatentCheck
from .models import MODELS
from .network_file import NetworkFile, copy_weights, read_network_file
from .parts import TEXT_ENCODERS, Parts, load_parts

VIDEO_MODELS = ("diffusion_models", "checkpoints")
"""Folder keys that the loader lists, in the order in which a name is looked up."""


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
    file = read_network_file(path)
    patcher = _with_weights(_empty_model(file), file)
    patcher.add_wrapper_with_key(WrappersMP.OUTER_SAMPLE, "zoetrope_video_model", LatentCheck(file.system))
    if file.sampling.threshold is not None:
        add_thresholding(patcher, ThresholdSettings(100 * QUANTILE, file.sampling.threshold))
    parts = load_parts(file)
    description = _describe(file, patcher, parts)
    logging.info(description)
    return LoadedVideoModel(patcher, parts.clip, parts.vae, parts.clip_vision, file.system, description)


def _empty_model(file: NetworkFile) -> comfy.model_base.BaseModel:
    """The BaseModel in the precision that core chooses for this size on this machine."""
    system = file.system
    settings = system.settings(file.network_shapes())
    saved_names = system.saved_names(own_keys(system, file.tensors))
    config = VideoModelConfig(system, file.sampling, settings, saved_names)
    dtype = comfy.model_management.unet_dtype(
        model_params=comfy.utils.calculate_parameters(file.tensors, system.prefix),
        supported_dtypes=config.supported_inference_dtypes,
        weight_dtype=comfy.utils.weight_dtype(file.tensors, system.prefix),
    )
    cast = comfy.model_management.unet_manual_cast(
        dtype, comfy.model_management.get_torch_device(), config.supported_inference_dtypes
    )
    config.set_inference_dtype(dtype, cast)
    return MODELS[system.model](config, file)


def _with_weights(model: comfy.model_base.BaseModel, file: NetworkFile) -> comfy.model_patcher.ModelPatcher:
    """The MODEL with the file's weights. Raises ValueError when they are not exactly the network's."""
    network = model.diffusion_model
    weights, published = network_weights(file.system, file.tensors)
    check_weights(file.system, weights, network.state_dict(), file.name, published)
    patcher = comfy.model_patcher.CoreModelPatcher(
        model,
        load_device=comfy.model_management.get_torch_device(),
        offload_device=comfy.model_management.unet_offload_device(),
    )
    if patcher.is_dynamic():
        # They stay in the file, as core does with its dynamic memory.
        network.load_state_dict(weights, assign=True)
    else:
        copy_weights(network, file, weights)
    return patcher


def _describe(file: NetworkFile, patcher: comfy.model_patcher.ModelPatcher, parts: Parts) -> str:
    """What the loader shows: the system, its numbers, what else came with it and what is still needed."""
    system, carried = file.system, parts.carried()
    parameters = sum(value.numel() for value in patcher.model.diffusion_model.parameters())
    lines = [
        f"{printable(file.name)}: {system.title}",
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
