"""What a sampler opens around its steps: for numbers of one forward of methods that need a sampling run."""

from __future__ import annotations

from collections.abc import Callable

import comfy.samplers
import torch
from comfy.patcher_extension import WrapperExecutor, WrappersMP, get_all_wrappers

from ...shapes import fold_frames


def in_sampling_run(model, x: torch.Tensor, inside: Callable[[], torch.Tensor]) -> torch.Tensor:
    """What `inside` gives in a sampling run of latents like x (B, C, F, H, W) on a MODEL."""
    wrappers = get_all_wrappers(WrappersMP.OUTER_SAMPLE, model.model_options, is_model_options=True)
    wrappers += model.get_all_wrappers(WrappersMP.OUTER_SAMPLE)
    guider = comfy.samplers.CFGGuider(model)
    guider.conds = {}
    executor = WrapperExecutor.new_class_executor(lambda *args: inside(), guider, wrappers)
    return executor.execute(torch.zeros_like(fold_frames(x)), None, None, torch.tensor([1.0, 0.0]))
