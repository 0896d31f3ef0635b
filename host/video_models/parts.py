"""CLIP, VAE and CLIP_VISION of a published video network's file, or a stand-in that says what to wire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import comfy.clip_vision
import comfy.sd
import folder_paths
import torch

from ...video_unets.systems import VideoSystem
from .latents import LATENTS
from .network_file import NetworkFile
from .vaes import vae_from_tensors, without_prefix

TEXT_ENCODERS = {
    "openclip-h": (
        "Load CLIP with open_clip_pytorch_model.bin or another OpenCLIP ViT-H (an SD2.1 text encoder), type"
        " stable_diffusion"
    ),
    "clip-l": "the CLIP of an SD1.x checkpoint, or Load CLIP with clip_l.safetensors, type stable_diffusion",
    "t5-xxl": "Load CLIP with t5xxl_fp16.safetensors or another T5-XXL, type mochi, and Encode Text (Show-1)",
}
"""VideoSystem.text_encoder -> what to wire."""

TEXT_PREFIXES = {
    "cond_stage_model.model.": comfy.sd.CLIPType.STABLE_DIFFUSION,
    "cond_stage_model.clip_h.transformer.": comfy.sd.CLIPType.STABLE_DIFFUSION,
    "cond_stage_model.clip_l.transformer.": comfy.sd.CLIPType.STABLE_DIFFUSION,
    "cond_stage_model.t5xxl.transformer.": comfy.sd.CLIPType.MOCHI,
}
"""Where a file has its text encoder -> what core's loader is told:
as VideoCrafter publishes it, then as core saves checkpoints.
"""


class MissingPartError(AttributeError, ValueError):
    """A ValueError for who uses a part that is not there,
    an AttributeError for who only asks (`hasattr`) what it can do.
    """


class MissingPart:
    """Stands for a CLIP, VAE or CLIP_VISION that a file does not carry;
    using it says what to wire instead.
    """

    def __init__(self, message: str):
        self.message = message

    def __getattr__(self, name: str):
        if name.startswith("__"):  # Python's own questions, also before there is a message
            raise AttributeError(name)
        raise MissingPartError(self.message)


@dataclass(frozen=True)
class Parts:
    """What a file gives beside its network; a part that it does not carry is a MissingPart."""

    clip: Any
    vae: Any
    clip_vision: Any

    def carried(self) -> list[str]:
        """The names of the parts that are there."""
        parts = {"CLIP": self.clip, "VAE": self.vae, "CLIP_VISION": self.clip_vision}
        return [name for name, part in parts.items() if not isinstance(part, MissingPart)]


def load_parts(file: NetworkFile) -> Parts:
    """The parts of a file, through core's own loaders."""
    return Parts(_clip(file), _vae(file), _clip_vision(file.system, file.tensors))


def _clip(file: NetworkFile) -> Any:
    for prefix, clip_type in TEXT_PREFIXES.items():
        if text := without_prefix(file.tensors, prefix):
            embeddings = folder_paths.get_folder_paths("embeddings")
            return comfy.sd.load_text_encoder_state_dicts([text], embeddings, clip_type=clip_type)
    return MissingPart(f"this file carries no text encoder; {_text_advice(file.system)}.")


def _text_advice(system: VideoSystem) -> str:
    """What to wire in place of a CLIP that the file lacks."""
    if not system.text_encoder:
        return (
            f"{system.title} reads no text: an image tells it what to show, through CLIP Vision and the node"
            " Animate Image (SVD)"
        )
    return f"wire {TEXT_ENCODERS[system.text_encoder]} into CLIP Text Encode"


def _vae(file: NetworkFile) -> Any:
    if tensors := without_prefix(file.tensors, file.system.vae_prefix):
        return vae_from_tensors(tensors, file.name)
    return MissingPart(f"this file carries no VAE; wire {LATENTS[file.system.latent].vae}.")


def _clip_vision(system: VideoSystem, tensors: Mapping[str, torch.Tensor]) -> Any:
    encoder = {key: value for key, value in tensors.items() if key.startswith(system.vision_prefix)}
    if encoder:
        return comfy.clip_vision.load_clipvision_from_sd(encoder, system.vision_prefix, True)
    return MissingPart("this file carries no image encoder; wire Load CLIP Vision if a node asks for one.")
