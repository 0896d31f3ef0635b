"""Pictures beside clips: frames of a clip that are seen one by one, each with what the clip's conditioning
says of its frame: prompt, ControlNet hint, mask, picture that it begins with.

Letters: N pictures, F frames of their clip, C channels, h, w latent size.
"""

from __future__ import annotations

from collections.abc import Sequence

import comfy.samplers
import torch
from comfy.context_windows import IndexListContextWindow

from ..windows.batch import WindowBatch
from ..windows.conds import BATCH_AXIS
from ..windows.controls import HintStore


class _Rows(IndexListContextWindow):
    """Frames of a clip, in any order; the latents at hand are theirs alone."""

    def get_tensor(self, full, *_, **__) -> torch.Tensor:
        return full


def without_windows(options: dict) -> dict:
    """model_options without context windows, whose lengths are those of clips."""
    return {name: value for name, value in options.items() if name != "context_handler"}


def denoised_pictures(
    model, cond: list[dict], noisy: torch.Tensor, sigma: torch.Tensor, rows: Sequence[int], num_frames: int,
    options: dict, hints: HintStore,
) -> torch.Tensor:  # fmt: skip
    """What a model makes of noisy frames (N, C, h, w), those of `rows` of a clip of F = num_frames.

    sigma: (N,). cond: of the clip, as core's guider has made it. hints: of the run.
    """
    window = _Rows(list(rows), BATCH_AXIS, num_frames)
    batch = WindowBatch(model, [window], [cond], noisy, sigma, without_windows(options), hints)
    ((denoised,),) = batch.evaluate(comfy.samplers.calc_cond_batch)
    return denoised
