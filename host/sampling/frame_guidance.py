"""Classifier-free guidance that differs from frame to frame,
for any MODEL whose frames are the batch or the time axis.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

from ...samplers.frame_guidance import GuidanceSettings, guidance_of_frames

_TIME_AXIS = 2


def set_frame_guidance(model, settings: GuidanceSettings):
    """A clone of the MODEL whose frames are guided by between min_cfg and the sampler's cfg,
    in one of GUIDANCE_SHAPES.

    It works on the whole clip, so also behind context windows.
    """

    def guide(arguments: Mapping) -> torch.Tensor:
        cond, uncond, cfg = (arguments[name] for name in ("cond", "uncond", "cond_scale"))
        axis = _TIME_AXIS if cond.ndim == 5 else 0
        scale = guidance_of_frames(settings, cond.shape[axis], cfg, cond.ndim - axis - 1).to(cond)
        return uncond + scale * (cond - uncond)

    model = model.clone()
    # Core leaves out the negative prompt at cfg 1, where frames with another min_cfg still need it.
    model.set_model_sampler_cfg_function(guide, disable_cfg1_optimization=settings.min_cfg != 1.0)
    return model
