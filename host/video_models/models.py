"""What ComfyUI hands to each kind of video network: the BaseModel that knows its conditioning."""

from __future__ import annotations

import comfy.model_base

from .base import VideoModel
from .lavie import LavieInterpolationModel, LavieUpscalerModel
from .show1 import Show1InterpolationModel, Show1UpscalerModel
from .svd import SV3DpModel, SV3DuModel, SVDModel
from .videocrafter import VideoCrafterModel

MODELS: dict[str, type[comfy.model_base.BaseModel]] = {
    "text": VideoModel,
    "videocrafter": VideoCrafterModel,
    "lavie_interpolation": LavieInterpolationModel,
    "lavie_upscaler": LavieUpscalerModel,
    "show1_interpolation": Show1InterpolationModel,
    "show1_upscaler": Show1UpscalerModel,
    "svd": SVDModel,
    "sv3d_u": SV3DuModel,
    "sv3d_p": SV3DpModel,
}
"""VideoSystem.model -> its class, made with (config, file); the network's weights are not yet set."""
