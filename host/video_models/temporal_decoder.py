"""Temporal layers on the decoder of an image VAE: made new, loaded, and applied to a VAE, which is not
changed.

They are acts around the decoder's layers (host/injection/apply.py says how), and idle outside of the decoding
of a VAE that has them: the plain VAE stays bit for bit the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import comfy.model_management
import comfy.model_patcher
import comfy.sd
import torch
from comfy.ldm.modules.diffusionmodules.model import Decoder, ResnetBlock
from comfy.ldm.modules.temporal_ae import VideoDecoder

from ...foreign_text import printable
from ...motion_modules.call import Call
from ...motion_modules.file_tensors import describe_keys
from ...motion_modules.points import Applied, Point
from ...motion_modules.temporal_decoder import METHOD, DecoderPlaces
from ...video_unets.formats import unwrap
from ...video_unets.svd.vae_names import is_diffusers_temporal_vae, vae_to_core
from ..files.model_files import MOTION_MODULES, find_listed_file, read_tensors
from ..injection.motion_models import MotionModule, head_of, module_from_weights, new_motion_module
from ..node_notes import current_node, say
from .frame_vae import FrameSettings, FrameVAE
from .vaes import vae_part

DECODER_FILES = (MOTION_MODULES, "vae", "checkpoints")
"""Folder keys that Load Temporal Decoder lists: layers alone, and VAEs that have some."""
_PATCH = "zoetrope_temporal_decoder"


@dataclass(frozen=True)
class DecoderSettings(FrameSettings):
    """The widgets of Apply Temporal Decoder."""

    strength: float = 1.0


def load_temporal_decoder(name: str) -> MotionModule:
    """Temporal layers of a listed file, alone or out of Stable Video Diffusion's VAE or checkpoint.

    Raises ValueError when the file is missing, damaged or has none.
    """
    path = find_listed_file(DECODER_FILES, name)
    module = decoder_from_tensors(read_tensors(path, mapped=True), name)
    return replace(module, is_untrained=head_of(path).get("trained") == "no")


def decoder_from_tensors(content: Mapping, name: str) -> MotionModule:
    """The temporal layers in a file's content. Raises ValueError as `load_temporal_decoder` does."""
    tensors = vae_part(unwrap(content))
    if is_diffusers_temporal_vae(tensors):
        tensors, _ = vae_to_core(tensors)
    if not METHOD.claims(frozenset(tensors)):
        raise ValueError(
            f"'{printable(name)}' has no temporal layers of a decoder: it has {describe_keys(tensors)}. Use "
            "a file of Save Temporal Layers, or the VAE or checkpoint of Stable Video Diffusion."
        )
    config, weights = METHOD.read(tensors, name)
    device = comfy.model_management.vae_device()
    dtype = comfy.model_management.vae_dtype(device, [torch.bfloat16, torch.float32])
    return module_from_weights(METHOD, config, weights, name, dtype)


def new_temporal_decoder(vae: comfy.sd.VAE) -> MotionModule:
    """Untrained layers for a VAE. Raises ValueError where its decoder is of another kind."""
    return new_motion_module(METHOD, places_in(vae))


def apply_temporal_decoder(
    vae: comfy.sd.VAE, module: MotionModule, settings: DecoderSettings
) -> comfy.sd.VAE:
    """A VAE whose decoder has the layers; vae itself is not changed, and encoding is that of vae.

    strength 0 gives vae itself. Raises ValueError when the layers do not fit.
    """
    places = places_that_fit(vae, module)
    if module.is_untrained:
        say("These temporal layers are not trained yet: until then they change nothing.", current_node())
    if settings.strength == 0:
        say("Apply Temporal Decoder is off: its strength is 0.", current_node())
        return vae
    layers = module.patcher.clone()
    layers.load_device = vae.patcher.load_device
    patched = FrameVAE.of(vae, settings)
    applied = Applied(lambda forward: Call(forward, forward.num_frames, settings.strength))
    for path, act in METHOD.acts(layers.model, places).items():
        name = f"{path}.forward"
        inner = patched.patcher.get_model_object(name)
        patched.patcher.add_object_patch(name, Point(path, inner, act, applied))
    patched.patcher.set_model_patch(_Layers(layers), _PATCH)
    return patched


def places_that_fit(vae: comfy.sd.VAE, module: MotionModule) -> DecoderPlaces:
    """Where the layers of a VAE's decoder lie. Raises ValueError when a module's layers do not fit there."""
    places = places_in(vae)
    if wrong := METHOD.misfit(module.patcher.model, places):
        raise ValueError(
            f"the temporal layers '{printable(module.name)}' do not fit this VAE: {wrong}. Use layers that "
            "were made for this kind of VAE."
        )
    return places


class _Layers:
    """What core loads and offloads with the VAE: it asks the patches of a model for models of their own."""

    def __init__(self, patcher: comfy.model_patcher.ModelPatcher):
        self.patcher = patcher

    def models(self) -> list[comfy.model_patcher.ModelPatcher]:
        return [self.patcher]


def places_in(vae: comfy.sd.VAE) -> DecoderPlaces:
    """Where the layers of a VAE's decoder lie. Raises ValueError where it is not that of an image VAE."""
    decoder = getattr(vae.first_stage_model, "decoder", None)
    if isinstance(decoder, VideoDecoder):
        raise ValueError(
            "this VAE's decoder has temporal layers already (Stable Video Diffusion's); use it as it is, or "
            "load the VAE of an image checkpoint."
        )
    is_image_decoder = isinstance(decoder, Decoder) and isinstance(decoder.conv_out, torch.nn.Conv2d)
    if not is_image_decoder or vae.latent_dim != 2:
        raise ValueError(
            "temporal layers need the decoder of an image VAE, this VAE is a "
            f"{type(vae.first_stage_model).__name__}; load the VAE of an SD1.x, SD2.x or SDXL checkpoint."
        )
    blocks = {
        f"decoder.{path}": layer.out_channels
        for path, layer in decoder.named_modules()
        if isinstance(layer, ResnetBlock)
    }
    return DecoderPlaces(blocks, {"decoder.conv_out": decoder.conv_out.out_channels})
