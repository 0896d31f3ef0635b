"""FIFO diffusion as a SAMPLER: see samplers/fifo.py.

Each frame of the queue has a noise level of its own, so the network gets one for each row of its batch. That
is what image networks with layers over frames take; video latents of 5 dimensions have one for all frames.
Ours: latents and a mask of the run. Less denoising begins with the latents of each frame that joins, and a
mask keeps places, as in ComfyUI's samplers.
"""

from __future__ import annotations

import comfy.model_sampling
import comfy.samplers
import torch
from comfy.k_diffusion.sampling import trange

from ...memory import check_memory
from ...motion_modules.call import streams_in
from ...samplers.fifo import (
    FifoSettings,
    Queue,
    ancestral_step,
    first_frames,
    iterations_of,
    places_of_frames,
)
from ...samplers.reconstruction_guidance import KnownLatents
from ..windows.controls import HintStore
from ..windows.patches import refuse_recorders
from ..windows.queue import QueueHandler, QueuePart
from .reconstruction_guidance import KNOWN
from .video_frames import frames_of_video


class FifoSampler(comfy.samplers.Sampler):
    """Brings a queue of frames through the noise levels; frames leave it one by one.

    clip: latents (F, C, H, W) as ComfyUI hands them on, whose last frames the video begins with; without them
    the first window is sampled as a clip of its own.
    """

    def __init__(self, settings: FifoSettings, clip: torch.Tensor | None = None):
        self.settings, self.clip = settings, clip
        self.frames_at_once = settings.context_length
        """What the network sees; motion modules look for it before a run."""

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
        """noise (N, C, H, W), as the latents that come back; called by ComfyUI."""
        latents = torch.zeros_like(noise) if latent_image is None else latent_image
        run = FifoRun(self, model_wrap, sigmas, extra_args, noise, latents, denoise_mask)
        for step, _ in zip(trange(run.total, disable=disable_pbar), run.steps(), strict=True):
            if callback is not None:
                callback(step, run.result, run.result, run.total)
        return model_wrap.inner_model.model_sampling.inverse_noise_scaling(sigmas[-1], run.result)


class FifoRun:
    """One run. Raises ValueError for latents, noise levels and prompts that cannot be sampled in a queue."""

    def __init__(self, sampler: FifoSampler, guider, sigmas, extra_args, noise, latents, mask):
        self.settings, self.guider, self.sigmas, self.extra_args = (
            sampler.settings,
            guider,
            sigmas,
            extra_args,
        )
        self.noise, self.latents, self.mask = noise, latents, mask
        self.count = len(sigmas) - 1
        self.num_frames = self._checked(guider, extra_args["model_options"])
        self.clip = None if sampler.clip is None else self._checked_clip(sampler.clip)
        check_memory(4 * noise.numel(), f"the latents of {len(noise)} frames", "make fewer frames")
        self.result = torch.zeros_like(noise)
        self.sampling, self.is_whole = guider.inner_model.model_sampling, sampler.max_denoise(guider, sigmas)
        self.fresh = torch.Generator().manual_seed(((extra_args.get("seed") or 0) + 1) % 2**64)
        self.hints = HintStore()
        of_clip = self.count if self.clip is None else 0
        self.iterations = iterations_of(self.settings, self.count, self.num_frames)
        self.total = len(noise) // self.num_frames * (of_clip + self.iterations)

    def _checked(self, guider, options) -> int:
        """The frames of one video."""
        if self.noise.ndim != 4 or streams_in(options.get("transformer_options", {})) > 1:
            raise ValueError(
                "FIFO needs latents whose frames are the batch, (N, C, H, W), one image for each: each has a"
                " noise level of its own; use Context Windows for video latents of 5 dimensions and for"
                " dual-stream modules."
            )
        self.settings.check_steps(self.count)
        if not bool((self.sigmas.diff() < 0).all()):
            raise ValueError("FIFO needs sigmas that fall at every step; take them from a scheduler.")
        if self.settings.eta and isinstance(guider.inner_model.model_sampling, comfy.model_sampling.CONST):
            raise ValueError(
                f"eta={self.settings.eta:g} must be 0 for a MODEL that predicts a flow; set it to 0."
            )
        _refuse_keyframes(guider)
        refuse_recorders(options)
        return frames_of_video(self.noise.shape, options, self.settings.frames_per_video, "FIFO")

    def _checked_clip(self, clip: torch.Tensor) -> torch.Tensor:
        """The last frames of the clip in the units of the network, (F, C, H, W)."""
        if clip.ndim != 4 or clip.shape[1:] != self.noise.shape[1:]:
            raise ValueError(
                f"the clip has latents of shape {tuple(clip.shape)}, the video {tuple(self.noise.shape)};"
                " give both the same size."
            )
        first = len(clip) - self.settings.context_length
        rows = [max(0, first + place) for place in range(self.settings.context_length)]
        return self.guider.inner_model.process_latent_in(clip[rows].to(self.noise))

    def steps(self):
        """Runs all videos of the batch one after another; stops at each of `total` steps that is done."""
        for start in range(0, len(self.noise), self.num_frames):
            yield from self._video(start)

    def _video(self, start: int):
        """Samples the video whose first frame is row `start`; stops at each step that is done."""
        settings, count = self.settings, self.count
        clip = (yield from self._first_window(start)) if self.clip is None else self.clip
        queue = self._first_queue(clip, start)
        parts = [QueuePart(window, settings.stride) for window in settings.windows(count)]
        for iteration in range(self.iterations):
            frames = places_of_frames(settings, count, iteration, self.num_frames)
            denoised = self._denoised(queue.x, queue.levels, parts, [start + frame for frame in frames])
            first = iteration - (count - settings.context_length)
            self._show(denoised[settings.padding :], start, first)
            clean = queue.step(denoised, self._joining(start, first + count), self._random(count))
            if first >= 0:
                self.result[start + first] = clean[0]
            yield

    def _first_window(self, start: int):
        """Samples the first frames of the video as a clip (F, C, H, W); stops at each step that is done."""
        length = self.settings.context_length
        rows = [start + min(frame, self.num_frames - 1) for frame in range(length)]
        noise = torch.cat([self._noise(start, frame) for frame in range(length)])
        x = self.sampling.noise_scaling(self.sigmas[0], noise, self.latents[rows], self.is_whole)
        parts = [QueuePart(range(length), length)]
        for sigma, lower in zip(self.sigmas, self.sigmas[1:], strict=False):
            levels = sigma.expand(length)
            denoised = self._denoised(x, levels, parts, rows)
            self._show(denoised, start, 0)
            x = ancestral_step(
                x, denoised, levels, lower.expand(length), self.settings.eta, self._random(length)
            )
            yield
        return x

    def _first_queue(self, clip: torch.Tensor, start: int) -> Queue:
        settings, count = self.settings, self.count
        copies = count - settings.context_length
        noise = torch.cat(
            [self._drawn(copies), *(self._noise(start, frame) for frame in range(settings.context_length))]
        )
        levels = self.sigmas[:-1].flip(0)
        x = self.sampling.noise_scaling(levels, noise, clip[first_frames(settings, count)])
        head = self.sampling.noise_scaling(levels[0], self._drawn(settings.padding), clip[:1])
        return Queue(settings, self.sigmas, head, x)

    def _denoised(self, x, levels, parts: list[QueuePart], rows: list[int]) -> torch.Tensor:
        """The clean frames of x at its noise levels, as the guider has them; rows: of the run's latents."""
        options = self.extra_args["model_options"]
        handler = QueueHandler(parts, rows, len(self.noise), self.hints)
        network = comfy.samplers.KSamplerX0Inpaint(self.guider, self.sigmas)
        network.latent_image, network.noise = self.latents[rows], self.noise[rows]
        mask = None if self.mask is None else self.mask[rows]
        known = None if mask is None else KnownLatents(network.latent_image, mask)
        options = {**options, "context_handler": handler, KNOWN: known}
        return network(x, levels, mask, options, seed=self.extra_args.get("seed"))

    def _joining(self, start: int, frame: int) -> torch.Tensor:
        """The frame that joins the queue, (1, C, H, W) at the highest level."""
        row = start + min(frame, self.num_frames - 1)
        noise = self._noise(start, frame)
        return self.sampling.noise_scaling(self.sigmas[0], noise, self.latents[row : row + 1], self.is_whole)

    def _noise(self, start: int, frame: int) -> torch.Tensor:
        """The noise (1, C, H, W) of a frame of the video, other noise behind its end."""
        if frame < self.num_frames:
            return self.noise[start + frame : start + frame + 1]
        return self._drawn(1)

    def _drawn(self, frames: int) -> torch.Tensor:
        return torch.randn((frames, *self.noise.shape[1:]), generator=self.fresh).to(self.noise)

    def _random(self, frames: int) -> torch.Tensor | None:
        return self._drawn(frames) if self.settings.eta else None

    def _show(self, denoised: torch.Tensor, start: int, first: int) -> None:
        """Puts what the queue will be into the result; first: the frame of its first place, may be < 0."""
        begin, end = max(first, 0), min(first + len(denoised), self.num_frames)
        self.result[start + begin : start + end] = denoised[begin - first : end - first]


def _refuse_keyframes(guider) -> None:
    """Raises ValueError for hooks that change over the steps: all noise levels are there at once."""
    for cond in (cond for conds in guider.conds.values() for cond in conds):
        hooks = getattr(cond.get("hooks"), "hooks", ())
        if any(len(hook.hook_keyframe.keyframes) > 1 for hook in hooks):
            raise ValueError(
                "FIFO has all noise levels at once, so hooks cannot change over the steps; take the hook"
                " keyframes out of the prompt."
            )
