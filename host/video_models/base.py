"""The BaseModel of every video network: its own network class,
prediction and noise schedule, as data of the system say.
"""

from __future__ import annotations

import comfy.model_base

from ...video_unets.systems import Sampling, VideoSystem
from ..sampling.scaled_sampling import scaled_model_sampling

PREDICTIONS = {
    "eps": comfy.model_base.ModelType.EPS,
    "v": comfy.model_base.ModelType.V_PREDICTION,
    "edm_v": comfy.model_base.ModelType.V_PREDICTION_EDM,
}
"""Sampling.prediction -> core's name for it."""


class VideoModel(comfy.model_base.BaseModel):
    """A BaseModel around a system's network; enough for networks that take text alone."""

    def __init__(self, model_config, system: VideoSystem, sampling: Sampling, device=None):
        super().__init__(
            model_config, PREDICTIONS[sampling.prediction], device=device, unet_model=system.network()
        )
        self.system = system
        if sampling.base_scale is not None or sampling.zero_terminal_snr:
            self.model_sampling = scaled_model_sampling(model_config, sampling)
