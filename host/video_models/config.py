"""What ComfyUI's BaseModel wants to know about a video network, made from its system."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import comfy.supported_models_base

from ...video_unets.systems import Sampling, VideoSystem
from .latents import LATENTS


class VideoModelConfig(comfy.supported_models_base.BASE):
    """Core's model configuration of a system.

    settings: arguments of the network. saved_names: {network's key: file's key}, for saving.
    """

    unet_extra_config: dict = {}

    def __init__(
        self,
        system: VideoSystem,
        sampling: Sampling,
        settings: dict[str, Any],
        saved_names: Mapping[str, str],
    ):
        self.network = system.network
        self.latent_format = LATENTS[system.latent].format
        self.memory_usage_factor = system.memory_usage_factor
        self.sampling_settings = _sampling_settings(sampling)
        self.published_prefix = system.prefix
        self.vae_key_prefix = [system.vae_prefix]
        self.clip_vision_prefix = system.vision_prefix
        self.saved_names = saved_names
        super().__init__(settings)

    def process_unet_state_dict_for_saving(self, state_dict):
        """Under the published file's names,
        so that what core's Save Model and Save Checkpoint write is a file of the same system.
        """
        return {
            self.published_prefix + self.saved_names.get(key, key): value for key, value in state_dict.items()
        }


def _sampling_settings(sampling: Sampling) -> dict[str, Any]:
    settings = {
        "beta_schedule": sampling.beta_schedule,
        "linear_start": sampling.linear_start,
        "linear_end": sampling.linear_end,
        "zsnr": sampling.zero_terminal_snr,
    }
    if sampling.sigma_max is not None:
        settings |= {"sigma_min": sampling.sigma_min, "sigma_max": sampling.sigma_max}
    return settings
