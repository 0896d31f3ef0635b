"""The BaseModel of every video network:
its own network class, prediction and noise schedule, as data of the system say.
"""

from __future__ import annotations

import comfy.model_base

from ..sampling.scaled_sampling import scaled_model_sampling
from .config import VideoModelConfig
from .network_file import NetworkFile

PREDICTIONS = {
    "eps": comfy.model_base.ModelType.EPS,
    "v": comfy.model_base.ModelType.V_PREDICTION,
    "edm_v": comfy.model_base.ModelType.V_PREDICTION_EDM,
}
"""Sampling.prediction -> core's name for it."""


class VideoModel(comfy.model_base.BaseModel):
    """A BaseModel around a system's network; enough for networks that take text alone."""

    def __init__(self, config: VideoModelConfig, file: NetworkFile, device=None):
        sampling = file.sampling
        super().__init__(config, PREDICTIONS[sampling.prediction], device=device, unet_model=config.network)
        self.system, self.sampling = file.system, sampling
        if sampling.base_scale is not None or sampling.zero_terminal_snr:
            self.model_sampling = scaled_model_sampling(config, sampling)
        if sampling.largest_sigma is not None:
            sigmas = self.model_sampling.sigmas
            self.model_sampling.set_sigmas(sigmas[sigmas <= sampling.largest_sigma])
