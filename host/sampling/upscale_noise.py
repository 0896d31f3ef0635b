"""The noise on the low-resolution frames of the SD x4 upscaler, shared by the frames.

Core's SD_4XUpscale_Conditioning gives the network the noise level, and core's model adds the noise: to each
frame another. An upscaler that sees frames one by one then invents other detail in each of them.

Source: Ho et al. 2022 (Imagen Video), arXiv 2210.02303, section 2.5 for noise of a known level on the
condition; sharing it over the frames is ours, after Make-A-Video's start noise (samplers/shared_noise.py).
"""

from __future__ import annotations

import torch
from comfy.ldm.modules.diffusionmodules.upscaling import ImageConcatWithNoiseAugmentation

from ...samplers.shared_noise import SharedNoiseSettings, share_noise
from ...shapes import videos_in_batch


class SharedAugmentation(torch.nn.Module):
    """Core's noise augmentation, with the frames' noise shared."""

    def __init__(self, augmentation: ImageConcatWithNoiseAugmentation, settings: SharedNoiseSettings):
        super().__init__()
        self.augmentation, self.settings = augmentation, settings
        self.max_noise_level = augmentation.max_noise_level

    def forward(self, x: torch.Tensor, noise_level: torch.Tensor, seed: int):
        """Frames (V*F, 3, H, W) and the level (1,) -> noisy frames, and the level for the network."""
        videos = videos_in_batch(len(x), self.settings.frames_per_video or len(x))
        noise = torch.randn((videos + len(x), *x.shape[1:]), generator=torch.Generator().manual_seed(seed))
        noise = share_noise(noise[videos:], noise[:videos], self.settings).to(x)
        return self.augmentation.q_sample(x, noise_level, noise=noise), noise_level


def share_upscale_noise(model, settings: SharedNoiseSettings):
    """A clone of the MODEL, an SD x4 upscaler, whose low-resolution frames get noise that they share.

    Raises ValueError for other MODELs.
    """
    has_noise = hasattr(model.model, "noise_augmentor")
    augmentation = model.get_model_object("noise_augmentor") if has_noise else None
    if isinstance(augmentation, SharedAugmentation):  # this node twice: the later one counts
        augmentation = augmentation.augmentation
    if not isinstance(augmentation, ImageConcatWithNoiseAugmentation):
        raise ValueError(
            f"Shared Upscale Noise is for the SD x4 upscaler, this MODEL is {type(model.model).__name__};"
            " leave the node out."
        )
    model = model.clone()
    model.add_object_patch("noise_augmentor", SharedAugmentation(augmentation, settings))
    return model
