"""A SAMPLER that lets a clip go on, window after window, each with its first frames known.

Known frames are kept as ComfyUI keeps what lies outside of a noise mask, and the layers over frames see them.
What is made needs the memory of one window.

New frames begin as the last known one under noise. What begins as noise alone has found a place of its own
before the known frames can be told from theirs, and jumps there.

Source: the replacement method of Video Diffusion Models (Ho et al. 2022, arXiv 2204.03458, section 3.1) with
known_noise 1, start_noise 0. That new frames begin with the layout of a known one is ConsistI2V's idea
(Ren et al. 2024, arXiv 2402.04324, FrameInit), which puts its slow changes into their noise. Ours: known
frames with a lower noise level of their own, as frames further in front have in FIFO diffusion.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import comfy.model_sampling
import comfy.samplers
import torch

from ...motion_modules.call import streams_in
from ...samplers.going_on import GoingOnSettings
from ...samplers.reconstruction_guidance import KnownLatents
from ..windows.controls import HintStore
from ..windows.patches import refuse_recorders
from ..windows.queue import QueueHandler, QueuePart
from .freeinit import begin_hooks_again, counted
from .reconstruction_guidance import KNOWN


class ExtendingSampler(comfy.samplers.Sampler):
    """Runs another SAMPLER on each window behind a clip (F, C, H, W), latents as ComfyUI hands them on."""

    def __init__(self, sampler: comfy.samplers.Sampler, clip: torch.Tensor, settings: GoingOnSettings):
        self.sampler, self.clip, self.settings = sampler, clip, settings
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
        """noise (N, C, H, W) of the new frames, as the latents that come back; called by ComfyUI."""
        self._check(noise, extra_args["model_options"])
        run = ExtendingRun(self, model_wrap, sigmas, extra_args, noise, latent_image, denoise_mask)
        for number, (window, known) in enumerate(run.windows):
            if number:
                begin_hooks_again(model_wrap, extra_args["model_options"])
            given, drawn = run.latents_of(window), run.noise_of(window, known)
            mask = run.mask_of(window, known, given)
            made = self.sampler.sample(
                model_wrap,
                sigmas,
                run.arguments(number, run.handler_of(window, known, given, drawn), KnownLatents(given, mask)),
                run.callback_of(number, window, known, callback),
                drawn,
                given,
                mask,
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


@dataclass(frozen=True)
class SeenFrames:
    """latents, noise: of the known frames (K, C, H, W). part: of the noise level of the others. Above
    `start` the new frames are taken for the last of them.
    """

    latents: torch.Tensor
    noise: torch.Tensor
    part: float
    start: float = math.inf


class KnownFramesHandler(QueueHandler):
    """Lets the network see the first frames of a window with less noise than the others have.

    All else (ranges of prompts and ControlNets, values over steps) goes by the noise level of the others.
    """

    def __init__(self, seen: SeenFrames, *args):
        super().__init__(*args)
        self.seen = seen

    def execute(self, calc_cond_batch: Callable, model, conds, x_in, timestep, model_options):
        """As QueueHandler does it; above the level at which new frames begin, without the network."""
        sampling, known = model.model_sampling, len(self.seen.latents)
        if float(timestep[-1]) > self.seen.start:
            last = self.seen.latents[-1:].expand(len(x_in) - known, -1, -1, -1)
            return [torch.cat((self.seen.latents, last)).to(x_in) for _ in conds]
        if self.seen.part < 1:
            levels = (timestep[:known] * self.seen.part).clamp(min=float(sampling.sigma_min))
            shown = sampling.noise_scaling(levels, self.seen.noise, self.seen.latents)
            x_in = torch.cat((shown, x_in[known:]))
            own = _with_levels(levels, len(x_in), model_options.get("model_function_wrapper"))
            model_options = {**model_options, "model_function_wrapper": own}
        return super().execute(calc_cond_batch, model, conds, x_in, timestep, model_options)


def _with_levels(levels: torch.Tensor, num_frames: int, inner: Callable | None) -> Callable:
    """A call of the network in which the first frames of each chunk have these noise levels."""

    def call(apply_model: Callable, args: dict) -> torch.Tensor:
        rows = args["timestep"].unflatten(0, (-1, num_frames)).clone()
        rows[:, : len(levels)] = levels
        args = {**args, "timestep": rows.flatten()}
        if inner is not None:
            return inner(apply_model, args)
        return apply_model(args["input"], args["timestep"], **args["c"])

    return call


def _start_of(sampler: ExtendingSampler, guider, sigmas: torch.Tensor, noise: torch.Tensor) -> float:
    """The noise level at which new frames begin as the last known one; infinite with less denoising, which
    begins with latents of its own.
    """
    if not sampler.max_denoise(guider, sigmas):
        return math.inf
    level = sampler.settings.start_level(*noise.shape[-2:])
    is_flow = isinstance(guider.inner_model.model_sampling, comfy.model_sampling.CONST)
    return level / (1 + level) if is_flow and level < math.inf else level


class ExtendingRun:
    """One run: what is made so far, in the units of the network, and what each window is given."""

    def __init__(self, sampler: ExtendingSampler, guider, sigmas, extra_args, noise, latents, mask):
        self.sigmas, self.extra_args, self.noise, self.mask = sigmas, extra_args, noise, mask
        self.known_noise = sampler.settings.known_noise
        self.start = _start_of(sampler, guider, sigmas, noise)
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

    def handler_of(self, window: range, known: int, latents, noise) -> QueueHandler:
        """What evaluates a window of these latents and this noise."""
        frames = [max(0, frame) for frame in window]
        part = QueuePart(range(len(frames)), len(frames))
        seen = SeenFrames(latents[:known], noise[:known].clone(), self.known_noise, self.start)
        return KnownFramesHandler(seen, [part], frames, len(self.noise), self.hints)

    def arguments(self, number: int, handler: QueueHandler, known: KnownLatents) -> dict:
        """A copy, which samplers may write into, with a seed of its own, and what evaluates the window."""
        seed = self.extra_args.get("seed")
        if seed is not None:
            seed = (seed + number) % 2**64
        options = {**self.extra_args["model_options"], "context_handler": handler, KNOWN: known}
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
