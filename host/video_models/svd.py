"""Stable Video Diffusion and SV3D as MODEL: core's own model classes around a published file's network.

Core's classes say what reaches the network (`y`, the image's latent behind the noisy one); here a graph that
lacks something is told so, and weights that users trained with other input channels run: 4 (text alone), 8
(as published), 9 (which frames are known besides).
"""

from __future__ import annotations

import comfy.conds
import comfy.model_base
import torch

from .base import PREDICTIONS
from .config import VideoModelConfig
from .network_file import NetworkFile

CONCAT_LATENT = "concat_latent_image"
KNOWN_FRAMES = "zoetrope_known_frames"
_LATENT_CHANNELS = 4


class _SystemNetwork(comfy.model_base.BaseModel):
    """Comes behind core's classes in the order of inheritance
    and gives BaseModel the system's network instead of its default.
    """

    def __init__(self, model_config, model_type, device=None):
        super().__init__(model_config, model_type, device=device, unet_model=model_config.network)


class _ImageToVideo(comfy.model_base.BaseModel):
    """What the classes below have in common; comes before core's class in the order of inheritance."""

    def __init__(self, config: VideoModelConfig, file: NetworkFile, device=None):
        super().__init__(config, PREDICTIONS[file.sampling.prediction], device=device)
        self.system = file.system

    def extra_conds(self, **kwargs) -> dict:
        """What core hands to the network with every chunk;
        ValueError when the graph lacks what this system needs.
        """
        noise = kwargs["noise"]
        self._check(
            kwargs.get(CONCAT_LATENT),
            kwargs.get("cross_attn"),
            noise,
            kwargs.get("prompt_type") or "positive",
        )
        out = super().extra_conds(**kwargs)
        extra = self.diffusion_model.in_channels - _LATENT_CHANNELS
        if extra < _LATENT_CHANNELS:
            del out["c_concat"]
        elif extra > _LATENT_CHANNELS:
            image = out["c_concat"].cond
            mask = _mask_of(kwargs.get(KNOWN_FRAMES), image)
            out["c_concat"] = comfy.conds.CONDNoiseShape(torch.cat((image, mask), dim=1))
        return out

    def _check(
        self, latent: torch.Tensor | None, context: torch.Tensor | None, noise: torch.Tensor, prompt: str
    ) -> None:
        if latent is None:
            raise ValueError(
                f"{self.system.title} makes a video of an image and the {prompt} conditioning has none: put"
                " Animate Image (SVD) between image and sampler, or Animate Text (SVD) for weights that were"
                " trained with prompts."
            )
        if latent.shape[1] != _LATENT_CHANNELS or latent.shape[0] not in (1, noise.shape[0]):
            raise ValueError(
                f"the {prompt} conditioning was made for {latent.shape[0]} frames of {latent.shape[1]}"
                f" channels, the latent has {noise.shape[0]} of {_LATENT_CHANNELS}; wire the LATENT output of"
                " the same conditioning node into the sampler."
            )
        width = self.diffusion_model.context_dim
        if context is None or context.shape[-1] != width:
            found = "nothing" if context is None else f"width {context.shape[-1]}"
            raise ValueError(
                f"{self.system.title} sees its image through CLIP ViT-H (width {width}), the {prompt}"
                f" conditioning has {found}: wire the CLIP_VISION of Load Video Model, or Load CLIP Vision"
                " with CLIP-ViT-H-14, into Animate Image (SVD)."
            )


def _mask_of(known: torch.Tensor | None, image: torch.Tensor) -> torch.Tensor:
    """(F, 1, h, w), 1 where a frame is known;
    without `known` (F,) every frame's image is given, as in image to video.
    """
    frames, _, height, width = image.shape
    known = torch.ones(frames) if known is None else known
    return known.to(image)[:, None, None, None].expand(frames, 1, height, width)


class SVDModel(_ImageToVideo, comfy.model_base.SVD_img2vid, _SystemNetwork):
    """Core's SVD_img2vid with the network of a file."""


class SV3DuModel(_ImageToVideo, comfy.model_base.SV3D_u, _SystemNetwork):
    """Core's SV3D_u with the network of a file."""


class SV3DpModel(_ImageToVideo, comfy.model_base.SV3D_p, _SystemNetwork):
    """Core's SV3D_p with the network of a file; every frame has a camera."""

    def encode_adm(self, **kwargs) -> torch.Tensor:
        """(F, 1280). Raises ValueError when the orbit has another number
        of views than the latent has frames.
        """
        frames = kwargs["noise"].shape[0]
        for name in ("elevation", "azimuth"):
            views = torch.tensor(kwargs.get(name, 0.0)).numel()
            if views not in (1, frames):
                raise ValueError(
                    f"the orbit has {views} views ({name}), the latent {frames} frames; wire the LATENT"
                    f" output of Set Orbit (SV3D) into the sampler, or set its num_frames to {frames}."
                )
        return super().encode_adm(**kwargs)
