"""A SAMPLER that lets a clip go on, window after window, each with its first frames known.

Known frames are kept as ComfyUI keeps what lies outside of a noise mask: at every step they are in the
latents with their noise, and the layers over frames see them. What is made needs the memory of one window.

Source: the replacement method of Video Diffusion Models (Ho et al. 2022, arXiv 2204.03458, section 3.1).
"""

from __future__ import annotations

import comfy.samplers
import torch

from ...motion_modules.call import streams_in
from ...samplers.going_on import GoingOnSettings
from ..windows.controls import HintStore
from ..windows.patches import refuse_recorders
from ..windows.queue import QueueHandler, QueuePart
from .freeinit import begin_hooks_again, counted


class ExtendingSampler(comfy.samplers.Sampler):
    """Runs another SAMPLER on each window behind a clip (F, C, H, W), latents as ComfyUI hands them on."""

    def __init__(self, sampler: comfy.samplers.Sampler, clip: torch.Tensor, settings: GoingOnSettings):
        self.sampler, self.clip, self.settings = sampler, clip, settings

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
        """noise (N, C, H, W) of the new frames, as the latents that come back; called by ComfyUI."""
        self._check(noise, extra_args["model_options"])
        run = ExtendingRun(self, model_wrap, sigmas, extra_args, noise, latent_image, denoise_mask)
        for number, (window, known) in enumerate(run.windows):
            if number:
                begin_hooks_again(model_wrap, extra_args["model_options"])
            given = run.latents_of(window)
            made = self.sampler.sample(
                model_wrap,
                sigmas,
                run.arguments(number, window),
                run.callback_of(number, window, known, callback),
                run.noise_of(window, known),
                given,
                run.mask_of(window, known, given),
                disable_pbar,
            )
            run.put(window, known, made)
        return run.result

    def _check(self, noise: torch.Tensor, model_options: dict) -> None:
        """Raises ValueError for latents and clips that do not go together."""
        if noise.ndim != 4 or streams_in(model_options.get("transformer_options", {})) > 1:
            raise ValueError(
                "Extend Video needs latents whose frames are the batch, (N, C, H, W), one image for each; it"
                " is not for video latents of 5 dimensions and for dual-stream modules."
            )
        if self.clip.ndim != 4 or self.clip.shape[1:] != noise.shape[1:]:
            raise ValueError(
                f"the clip has latents of shape {tuple(self.clip.shape)}, the new frames"
                f" {tuple(noise.shape)}; give both the same size."
            )
        refuse_recorders(model_options)


class ExtendingRun:
    """One run: what is made so far, in the units of the network, and what each window is given."""

    def __init__(self, sampler: ExtendingSampler, guider, sigmas, extra_args, noise, latents, mask):
        self.sigmas, self.extra_args, self.noise, self.mask = sigmas, extra_args, noise, mask
        self.windows = sampler.settings.windows(len(noise), len(sampler.clip))
        longest = max(-window.start for window, _ in self.windows)
        clip = sampler.clip[len(sampler.clip) - longest :].to(noise)
        self.clip = guider.inner_model.process_latent_in(clip)
        self.result = torch.zeros_like(noise) if latents is None else latents.clone()
        self.fresh = torch.Generator().manual_seed(((extra_args.get("seed") or 0) + 1) % 2**64)
        self.hints = HintStore()

    def latents_of(self, window: range) -> torch.Tensor:
        """The known frames of a window, and the latents of the run of its new ones."""
        before = self.clip[len(self.clip) + window.start :] if window.start < 0 else self.clip[:0]
        return torch.cat((before, self.result[max(window.start, 0) : window.stop]))

    def noise_of(self, window: range, known: int) -> torch.Tensor:
        """The noise of the run for new frames, other noise for the known ones."""
        drawn = torch.randn((known, *self.noise.shape[1:]), generator=self.fresh).to(self.noise)
        return torch.cat((drawn, self.noise[window.start + known : window.stop]))

    def mask_of(self, window: range, known: int, latents: torch.Tensor) -> torch.Tensor:
        """1 where something is made: not in known frames, and where the mask of the run says so."""
        mask = torch.ones_like(latents)
        if self.mask is not None:
            mask[known:] = self.mask[window.start + known : window.stop]
        mask[:known] = 0
        return mask

    def arguments(self, number: int, window: range) -> dict:
        """A copy, which samplers may write into, with a seed of its own, and the frames of the window."""
        seed = self.extra_args.get("seed")
        if seed is not None:
            seed = (seed + number) % 2**64
        frames = [max(0, frame) for frame in window]
        handler = QueueHandler(
            [QueuePart(range(len(frames)), len(frames))], frames, len(self.noise), self.hints
        )
        options = {**self.extra_args["model_options"], "context_handler": handler}
        return {**self.extra_args, "seed": seed, "model_options": options}

    def callback_of(self, number: int, window: range, known: int, callback):
        """Shows the whole video at each step of a window."""
        if callback is None:
            return None
        steps = len(self.sigmas) - 1
        tell = counted(callback, number * steps, len(self.windows) * steps)

        def show(step, denoised, x, total):
            shown = self.result.clone()
            shown[window.start + known : window.stop] = denoised[known:]
            tell(step, shown, shown, total)

        return show

    def put(self, window: range, known: int, made: torch.Tensor) -> None:
        """Takes the new frames of a window."""
        self.result[window.start + known : window.stop] = made[known:]
