"""The VAE of a file: of one that is a VAE, or the part of a whole system's file that is one.

Core's Load VAE does not look behind prefixes and does not know diffusers' temporal decoder.
"""

from __future__ import annotations

from collections.abc import Mapping

import comfy.sd
import torch

from ...foreign_text import printable
from ...video_unets.formats import VIDEO_UNETS, describe_file, shapes_of, unwrap
from ..files.model_files import find_listed_file, read_tensors
from .temporal_vae import is_temporal_vae, temporal_vae

VIDEO_VAES = ("vae", "checkpoints")
"""Folder keys that Load Video VAE lists."""


def load_video_vae(name: str) -> comfy.sd.VAE:
    """A file listed by Load Video VAE. Raises ValueError when it is missing or has no VAE."""
    return vae_from_tensors(read_tensors(find_listed_file(VIDEO_VAES, name), mapped=True), name)


def vae_from_tensors(content: Mapping, file_name: str) -> comfy.sd.VAE:
    """A file's content as VAE; of whole systems (ModelScope's VQGAN_autoencoder.pth, VideoCrafter's
    model.ckpt) the part that is one. Raises ValueError when there is no VAE.
    """
    tensors = vae_part(unwrap(content))
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


def vae_part(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """What stands behind a system's prefix and has an encoder; all tensors where nothing does."""
    for prefix in dict.fromkeys(system.vae_prefix for system in VIDEO_UNETS.values()):
        part = without_prefix(tensors, prefix)
        if any(key.split(".")[0].endswith("encoder") for key in part):
            return part
    return tensors


def without_prefix(tensors: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """The tensors whose keys begin with prefix, without it."""
    return {key[len(prefix) :]: value for key, value in tensors.items() if key.startswith(prefix)}
