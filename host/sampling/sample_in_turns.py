"""A SAMPLER that samples a video window by window,
each window continuing from the last frame of the one before.

Source: github.com/showlab/Show-1, run_inference.py (super-resolution 1: windows of 8 frames that share one).
"""

from __future__ import annotations

import copy

import comfy.samplers
import torch
from comfy.context_windows import IndexListContextWindow

from ..video_models.show1 import Show1UpscalerModel
from ..windows.conds import window_conds


def windows_in_turn(num_frames: int, length: int, overlap: int) -> list[range]:
    """Windows of `length` frames that share `overlap` with the one before; the last is moved back so that it
    is as long as the others.
    """
    if not 1 <= overlap < length:
        raise ValueError(
            f"overlap={overlap} must be at least 1 and less than length={length}; Show-1 was made for 1 of 8."
        )
    if num_frames <= length:
        return [range(num_frames)]
    starts = range(0, num_frames - overlap, length - overlap)
    starts = [min(start, num_frames - length) for start in starts]
    return [range(start, start + length) for start in starts]


class SamplerInTurns(comfy.samplers.Sampler):
    """Runs another SAMPLER on each window;
    a window's first frame is given to the network as it was made in the window before.
    """

    def __init__(self, sampler: comfy.samplers.Sampler, length: int, overlap: int):
        windows_in_turn(length + 1, length, overlap)
        self.sampler, self.length, self.overlap = sampler, length, overlap

    def sample(
        self,
        model_wrap,
        sigmas,
        extra_args,
        callback,
        noise,
        latent_image=None,
        denoise_mask=None,
        disable_pbar=False,
    ):
        """noise (F, 3, H, W) -> (F, 3, H, W); called by ComfyUI."""
        model = model_wrap.inner_model
        if not isinstance(model, Show1UpscalerModel):
            raise ValueError(
                "Sample In Turns is for Show-1's super-resolution 1; for other models wire your SAMPLER"
                " without it."
            )
        result = torch.zeros_like(noise)
        for window in windows_in_turn(noise.shape[0], self.length, self.overlap):
            guider = copy.copy(model_wrap)
            part = IndexListContextWindow(list(window), dim=0, total_frames=noise.shape[0])
            guider.conds = {
                name: window_conds(conds, part, noise, model) for name, conds in model_wrap.conds.items()
            }
            if window.start > 0:
                _continue_from(guider.conds, result[window.start])
            rows = slice(window.start, window.stop)
            # Samplers write into extra_args.
            result[rows] = self.sampler.sample(
                guider,
                sigmas,
                dict(extra_args),
                callback,
                noise[rows],
                None if latent_image is None else latent_image[rows],
                None if denoise_mask is None else denoise_mask[rows],
                disable_pbar,
            )
        return result


def _continue_from(conds: dict[str, list[dict]], frame: torch.Tensor) -> None:
    """Puts a finished frame (3, H, W) in the place of the first low-resolution frame of every cond."""
    for cond in (cond for several in conds.values() for cond in several):
        given = cond["model_conds"]["c_concat"]
        cond["model_conds"]["c_concat"] = given._copy_with(
            torch.cat((frame[None].to(given.cond), given.cond[1:]))
        )
