"""VideoCrafter and DynamiCrafter as MODEL: how frame rate, image tokens and image latents reach the network.

Source: github.com/AILab-CVC/VideoCrafter and github.com/Doubiiu/DynamiCrafter (scripts/evaluation); the
conditioning nodes write what `extra_conds` reads here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import comfy.conds
import comfy.ops
import torch

from ...foreign_text import printable
from ...video_unets.formats import shapes_of
from ...video_unets.videocrafter.image_projector import ImageProjector, projector_settings
from ..sampling.scaled_sampling import ScaledSampling, scaled_model_sampling
from .base import VideoModel
from .config import VideoModelConfig
from .network_file import NetworkFile
from .vaes import without_prefix

FPS = "fps"
HIDDEN_STATE = "zoetrope_image_hidden_state"
CONCAT_LATENT = "concat_latent_image"
PROJECTOR = "image_proj_model."


class CONDPerVideo(comfy.conds.CONDRegular):
    """A tensor (1, ...) that belongs to the whole video:
    one row for each conditioning chunk, however many frames it has.
    """

    def process_cond(self, batch_size, **kwargs):
        return self._copy_with(self.cond)


class VideoCrafterModel(VideoModel):
    """BaseModel of a VideoCrafter system; a file with `image_proj_model.*` brings that network along.

    Raises ValueError when the file lacks a part of that network.
    """

    def __init__(self, config: VideoModelConfig, file: NetworkFile, device=None):
        super().__init__(config, file, device)
        dtype = config.unet_config.get("dtype")
        self.image_proj_model = _image_projector(
            file,
            dtype=dtype,
            device=device,
            operations=comfy.ops.pick_operations(dtype, self.manual_cast_dtype),
        )
        if self.image_proj_model is None and self.diffusion_model.image_tokens:
            raise ValueError(
                f"'{printable(file.name)}' lacks '{PROJECTOR}latents' and all of '{PROJECTOR}*', without "
                f"which {self.system.title} cannot see its image; use the whole published file."
            )

    def extra_conds(self, **kwargs) -> dict:
        """What core hands to the network with every chunk;
        ValueError when the graph lacks what this network needs.
        """
        out, network = super().extra_conds(**kwargs), self.diffusion_model
        if network.fps_embedding is not None:
            fps = float(kwargs.get(FPS, self.system.default_fps))
            out["fps"] = comfy.conds.CONDRegular(torch.tensor([fps]))
        if network.image_tokens:
            out["image_tokens"] = CONDPerVideo(
                self._image_tokens(kwargs.get(HIDDEN_STATE), kwargs["device"], kwargs.get("prompt_type"))
            )
        if network.in_channels > self.latent_format.latent_channels:
            out["c_concat"] = comfy.conds.CONDNoiseShape(
                self._image_latents(kwargs.get(CONCAT_LATENT), kwargs["noise"], kwargs["device"])
            )
        return out

    def _image_tokens(self, hidden_state, device, prompt_type) -> torch.Tensor:
        if hidden_state is None:
            raise ValueError(
                f"{self.system.title} makes a video of an image and the {prompt_type or 'positive'}"
                " conditioning has none; run both the positive and the negative prompt through Zoetrope's"
                " image-to-video conditioning node."
            )
        width = self.image_proj_model.proj_in.weight.shape[1]
        if hidden_state.shape[-1] != width:
            raise ValueError(
                f"{self.system.title} looks at its image through CLIP ViT-H (width {width}), this CLIP_VISION"
                f" has width {hidden_state.shape[-1]}; wire the CLIP_VISION output of Load Video Model, or"
                " CLIP-ViT-H-14."
            )
        with torch.no_grad():
            return self.image_proj_model(hidden_state.to(device=device, dtype=self.get_dtype_inference()))

    def _image_latents(self, latents, noise: torch.Tensor, device) -> torch.Tensor:
        if latents is None:
            raise ValueError(
                f"{self.system.title} starts from an image and got none; put Zoetrope's image-to-video"
                " conditioning node between the prompts and the sampler."
            )
        if latents.shape[-2:] != noise.shape[-2:] or latents.shape[0] not in (1, noise.shape[0]):
            frames, _, height, width = latents.shape
            raise ValueError(
                f"the conditioning was made for {frames} frames of {width * 8} x {height * 8}, the latent has"
                f" {noise.shape[0]} of {noise.shape[-1] * 8} x {noise.shape[-2] * 8}; wire the LATENT output"
                " of the image-to-video conditioning node."
            )
        return self.process_latent_in(latents).to(device).expand(noise.shape[0], -1, -1, -1)

    def state_dict_for_saving(self, *args, **kwargs) -> dict:
        """As BaseModel, with what else of the published file the MODEL needs:
        the image projector and the scale of its schedule.
        """
        out = super().state_dict_for_saving(*args, **kwargs)
        if self.image_proj_model is not None:
            out |= {PROJECTOR + key: value for key, value in self.image_proj_model.state_dict().items()}
        if isinstance(self.model_sampling, ScaledSampling):
            out["scale_arr"] = self.model_sampling.schedule.s.float()
        return out


def _image_projector(file: NetworkFile, **factory_kwargs) -> ImageProjector | None:
    """The network of `image_proj_model.*` with the file's weights; None where the file has none."""
    weights = without_prefix(file.tensors, PROJECTOR)
    if not weights:
        return None
    shapes = shapes_of(file.tensors, file.name).without_prefix(PROJECTOR)
    projector = ImageProjector(**projector_settings(shapes), **factory_kwargs).eval()
    _check_projector(weights, projector.state_dict(), file)
    projector.load_state_dict(weights)
    return projector


def _check_projector(weights: Mapping, expected: Mapping, file: NetworkFile) -> None:
    """Raises ValueError naming the first key that is missing, unknown or of another shape."""
    wrong = sorted(set(weights) ^ set(expected))
    wrong += [key for key in expected if key in weights and weights[key].shape != expected[key].shape]
    if wrong:
        raise ValueError(
            f"'{printable(file.name)}': the key '{PROJECTOR}{printable(wrong[0])}' is missing, unknown or of"
            f" another shape than {file.system.title} has; the file is incomplete or a variant that this"
            " node cannot run."
        )


def with_noise_scale(model, base_scale: float):
    """A clone of the MODEL whose noise schedule ends at this scale, 1 = none;
    for files without the published `scale_arr`.

    Raises ValueError for other MODELs and for scales outside of (0, 1].
    """
    if not isinstance(model.model, VideoCrafterModel):
        raise ValueError(
            "only VideoCrafter and DynamiCrafter have a noise scale; wire the MODEL of Load Video Model with"
            " one of their files."
        )
    sampling = dataclasses.replace(model.model.sampling, base_scale=base_scale)
    model = model.clone()
    model.add_object_patch("model_sampling", scaled_model_sampling(model.model.model_config, sampling))
    return model
