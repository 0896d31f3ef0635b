"""FreeInit on a MODEL: its sampler runs several times within one sampling run.

A run begins at `noise_scaling` of its noise and its latents. A later one begins at the low frequencies of the
video that was made with the first noise on it, and the high ones of a beginning with fresh noise. For whole
runs on empty latents that is the published z_T times sqrt(1 + sigma^2). Ours: less denoising, where the high
frequencies are those of the latents that were given, and masks.

The SAMPLER is replaced, inside of all wrappers of SAMPLER_SAMPLE, so that Context Windows arranges the first
noise once.
"""

from __future__ import annotations

import comfy.samplers
import torch
from comfy.patcher_extension import WrappersMP

from ...memory import check_memory
from ...samplers.freeinit import FreeInitSettings, mix_frequencies, steps_of_iteration
from ...shapes import fold_frames, unfold_frames
from ..windows.handler import arranged_noise
from .video_frames import frames_of_video

KEY = "zoetrope_freeinit"


class FreeInitSampler(comfy.samplers.Sampler):
    """Runs another SAMPLER several times, each time from a better beginning."""

    def __init__(self, sampler: comfy.samplers.Sampler, settings: FreeInitSettings):
        self.sampler, self.settings = sampler, settings
        self.frames_at_once = getattr(sampler, "frames_at_once", None)

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
        """noise (N, C, H, W) or (B, C, F, H, W), as the latents that come back; called by ComfyUI."""
        beginnings = Beginnings(self, model_wrap, sigmas, noise, latent_image, extra_args)
        schedules = [
            steps_of_iteration(self.settings, iteration, sigmas)
            for iteration in range(self.settings.iterations)
        ]
        total, done, result = sum(len(levels) - 1 for levels in schedules), 0, None
        for iteration, levels in enumerate(schedules):
            if iteration:
                begin_hooks_again(model_wrap, extra_args["model_options"])
            result = self.sampler.sample(
                model_wrap,
                levels,
                _arguments(extra_args, levels, iteration),
                counted(callback, done, total),
                beginnings.noise_of(result),
                latent_image,
                denoise_mask,
                disable_pbar,
            )
            done += len(levels) - 1
        return result


class Beginnings:
    """The noise of each iteration. Raises ValueError for a run without noise, and for a MODEL whose first
    noise level leaves nothing of the video.
    """

    def __init__(self, sampler: FreeInitSampler, guider, sigmas, noise, latents, extra_args):
        self.settings, self.first, self.latents = sampler.settings, noise, latents
        self.options, self.seed = extra_args["model_options"], extra_args.get("seed") or 0
        self.frames = frames_of_video(noise.shape, self.options, self.settings.frames_per_video, "FreeInit")
        self.begin, self.sigma = guider.inner_model.model_sampling.noise_scaling, sigmas[0]
        self.is_whole = sampler.max_denoise(guider, sigmas)
        self.fresh = torch.Generator().manual_seed(self.seed)
        torch.randn(noise.shape, generator=self.fresh)  # what ComfyUI drew with this seed
        if not noise.any():
            raise ValueError("FreeInit needs a run with noise, this one has none; turn add_noise on.")
        one, zero = torch.ones_like(noise[:1]), torch.zeros_like(noise[:1])
        self.per_noise = self.begin(self.sigma, one, zero, self.is_whole)
        if not self.per_noise.any() or not self.begin(self.sigma, zero, one, False).any():
            raise ValueError(
                "FreeInit needs a MODEL whose first noise level leaves something of the video, this one"
                f" (sigma={float(self.sigma):g}) leaves nothing; leave FreeInit out."
            )

    def noise_of(self, result: torch.Tensor | None) -> torch.Tensor:
        """The run's own noise at first, later that with which a run begins at the mixed beginning."""
        if result is None:
            return self.first.clone()  # samplers may write into it
        drawn = torch.randn(self.first.shape, generator=self.fresh).to(self.first)
        drawn = arranged_noise(drawn, self.options, self.seed)
        given = torch.zeros_like(self.first) if self.latents is None else self.latents
        low = self.begin(self.sigma, self.first, result, False)
        high = self.begin(self.sigma, drawn, given, self.is_whole)
        nothing = self.begin(self.sigma, torch.zeros_like(self.first), given, self.is_whole)
        return (self._mixed(low, high) - nothing) / self.per_noise

    def _mixed(self, low: torch.Tensor, high: torch.Tensor) -> torch.Tensor:
        """On the CPU: not every device has FFTs."""
        check_memory(40 * low.numel(), f"the frequencies of {self.frames} frames", "take fewer frames")
        low_video, high_video = (
            x.cpu() if x.ndim == 5 else unfold_frames(x.cpu(), self.frames) for x in (low, high)
        )
        mixed = mix_frequencies(low_video, high_video, self.settings)
        return (mixed if low.ndim == 5 else fold_frames(mixed)).to(low)


def _arguments(extra_args: dict, sigmas: torch.Tensor, iteration: int) -> dict:
    """A copy, which samplers may write into, with the schedule and the seed of an iteration."""
    seed = extra_args.get("seed")
    if seed is not None:
        seed = (seed + iteration) % 2**64  # other noise between the steps
    options = extra_args["model_options"]
    to_network = {**options.get("transformer_options", {}), "sample_sigmas": sigmas}
    return {**extra_args, "seed": seed, "model_options": {**options, "transformer_options": to_network}}


def counted(callback, done: int, total: int):
    """The callback of a run for an iteration that `done` of all `total` steps came before."""
    if callback is None:
        return None
    return lambda step, denoised, x, _: callback(done + step, denoised, x, total)


def begin_hooks_again(guider, model_options: dict) -> None:
    """Hooks with keyframes go forward only: sets them back to the first."""
    for cond in (cond for conds in guider.conds.values() for cond in conds):
        if cond.get("hooks") is not None:
            cond["hooks"].reset()
    for patcher in {guider.model_patcher, *model_options.get("multigpu_clones", {}).values()}:
        patcher.clean_hooks()


def apply_freeinit(model, settings: FreeInitSettings):
    """A clone of the MODEL that every sampler runs `iterations` times; what was set earlier is replaced.

    Sampling raises ValueError for latents that are no whole number of videos, and where noise is left over.
    """

    def outer_sample(executor, noise, latent_image, sampler, sigmas, *args, **kwargs):
        frames_of_video(noise.shape, executor.class_obj.model_options, settings.frames_per_video, "FreeInit")
        if float(sigmas[-1]) > 0:
            raise ValueError(
                f"FreeInit needs a run to the end, this one ends at sigma={float(sigmas[-1]):g}; turn"
                " return_with_leftover_noise off, or wire all sigmas."
            )
        return executor(noise, latent_image, FreeInitSampler(sampler, settings), sigmas, *args, **kwargs)

    model = model.clone()
    model.remove_wrappers_with_key(WrappersMP.OUTER_SAMPLE, KEY)
    model.add_wrapper_with_key(WrappersMP.OUTER_SAMPLE, KEY, outer_sample)
    return model
