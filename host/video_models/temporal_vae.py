"""The VAE whose decoder looks at several frames (Stable Video Diffusion's),
from the original's or diffusers' layout.

Core knows the original's names; its loader ignores what it does
not know and leaves out what is missing, so both are checked here.
"""

from __future__ import annotations

from collections.abc import Mapping

import comfy.sd
import torch

from ...foreign_text import printable
from ...video_unets.file_shapes import published_name
from ...video_unets.svd.vae_names import is_diffusers_temporal_vae, vae_to_core


def is_temporal_vae(tensors: Mapping[str, torch.Tensor]) -> bool:
    """Whether a VAE's tensors, without a prefix,
    have layers over frames in the decoder, under either layout's names.
    """
    return is_diffusers_temporal_vae(tensors) or any(
        key.startswith("decoder.") and ".time_stack." in key for key in tensors
    )


def temporal_vae(tensors: Mapping[str, torch.Tensor], file_name: str) -> comfy.sd.VAE:
    """The VAE. Raises ValueError naming the first key that is missing, of another shape or unknown."""
    names = {key: key for key in tensors}
    if is_diffusers_temporal_vae(tensors):
        tensors, names = vae_to_core(tensors)
    # What core takes for the mark of this kind; a file without it is incomplete, not another kind.
    mark = "decoder.mid.block_1.mix_factor"
    vae = comfy.sd.VAE(sd={**tensors, mark: tensors.get(mark, torch.zeros(1))})
    expected = vae.first_stage_model.state_dict()
    wrong = [key for key in expected if key not in tensors or tensors[key].shape != expected[key].shape]
    wrong += [key for key in tensors if key not in expected]
    if wrong:
        # The nearest name is that of a neighbour;
        # a mix factor's neighbours stand elsewhere in diffusers' layout.
        name = published_name(wrong[0], names).replace(
            ".spatial_res_block.mix_factor", ".time_mixer.mix_factor"
        )
        raise ValueError(
            f"'{printable(file_name)}': '{printable(name)}' is missing, unknown or of another shape than the "
            "VAE of Stable Video "
            f"Diffusion has ({len(wrong)} such keys); the file is incomplete or a variant, download it again."
        )
    return vae
