"""Prepare Text2Video-Zero: all frames of a video out of the first, at the noise level where sampling goes on.

Source: Khachatryan et al. 2023, arXiv 2303.13439, algorithm 1; github.com/Picsart-AI-Research/Text2Video-Zero
(text2video_pipeline.py). One image is denoised to T1 and further to T0, warped along a motion field, and
given fresh noise for each frame back to T1. Between runs ComfyUI has latents divided by their signal, so one
formula holds for every kind of prediction (samplers/text2video_zero/renoising.py).

Letters: B videos, F frames, C channels, H height, W width.
"""

from __future__ import annotations

import math
from functools import partial

import comfy.sample
import comfy.utils
import latent_preview
import torch
from comfy.model_management import intermediate_device
from comfy.model_sampling import ModelSamplingDiscrete

from ...memory import check_memory
from ...motion_modules.call import SINGLE_FRAMES, streams_in
from ...samplers.text2video_zero.background import SmoothSettings, smooth_background
from ...samplers.text2video_zero.motion_fields import MotionField
from ...samplers.text2video_zero.renoising import PrepareSettings, exact_factors, published_factors
from ...samplers.text2video_zero.warping import check_field, warped
from ...shapes import videos_in_batch
from ..node_notes import current_node, say

_COPIES = 6
"""Of the frames: noise, the first frames of all videos, their frames, and what is joined of them."""
SEEDS = 2**64
NODE = "Prepare Text2Video-Zero"


def prepare_frames(
    noise, guider, sampler, sigmas: torch.Tensor, latent: dict, field: MotionField, settings: PrepareSettings
) -> tuple[dict, torch.Tensor]:
    """LATENT of all frames at T1, (B*F, C, H, W), and the sigmas from there on.

    noise, guider, sampler, sigmas (steps + 1,): as SamplerCustomAdvanced takes them. latent: the image of
    each video before it is sampled, empty or encoded. Raises ValueError where that does not go together.
    """
    settings.check_steps(len(sigmas) - 1)
    first = _first_frames(guider, latent, settings.num_frames)
    check_field(field, settings.num_frames, tuple(first.shape[-2:]))
    t1, t0 = settings.t1_step, settings.t0_step
    factors = _factors(guider.model_patcher, sigmas[[t0, t1]], settings.as_published)
    drawn = noise.generate_noise({"samples": first.repeat_interleave(settings.num_frames, 0)})
    drawn = drawn.unflatten(0, (len(first), settings.num_frames))
    run = partial(_sample_single_frames, guider, sampler)
    at_t1 = run(sigmas[: t1 + 1], first, drawn[:, 0], noise.seed)
    # Noise between steps comes from the seed, and must be other noise than in the run before.
    after = (noise.seed + 1) % SEEDS
    at_t0 = at_t1 if t0 == t1 else run(sigmas[t1 : t0 + 1], at_t1, torch.zeros_like(drawn[:, 0]), after)
    latents = guider.model_patcher.model
    frames = []
    for start, end, eps in zip(at_t1.split(1), at_t0.split(1), drawn[:, 1:], strict=True):
        moved = torch.cat(list(warped(end, field, settings.num_frames, settings.as_published)))
        noisy = factors[0] * latents.process_latent_in(moved) + factors[1] * eps.to(moved)
        frames += [start, latents.process_latent_out(noisy)]
    return {"samples": torch.cat(frames)}, sigmas[t1:]


def smooth_frames(latent: dict, mask: torch.Tensor, field: MotionField, settings: SmoothSettings) -> dict:
    """The LATENT of prepare_frames with `smooth_background` in each of its videos.

    mask: (B*F, H', W') or one of two dimensions. Raises ValueError for a batch that is no whole number of
    videos, and where the mask does not fit.
    """
    samples, masks = latent["samples"], mask[None] if mask.ndim == 2 else mask
    if samples.ndim != 4:
        raise ValueError(
            "Smooth Background needs the latents of images, 4 dimensions (frames, channels, height, width); "
            "wire those of Prepare Text2Video-Zero."
        )
    frames = settings.frames_per_video or len(samples)
    videos_in_batch(len(samples), frames)
    if len(masks) != len(samples):
        raise ValueError(
            f"the mask has {len(masks)} frames, the latents have {len(samples)}; give a mask for each frame, "
            "made from the decoded frames of a first run."
        )
    check_memory(6 * samples.numel() * 4, f"{len(samples)} frames", "take fewer or smaller frames")
    videos = zip(samples.split(frames), masks.split(frames), strict=True)
    smoothed = [smooth_background(video, things, field, settings) for video, things in videos]
    return {**latent, "samples": torch.cat(smoothed)}


def _first_frames(guider, latent: dict, num_frames: int) -> torch.Tensor:
    """The image of each video (B, C, H, W). Raises ValueError for latents that are no images, or masked."""
    samples = latent["samples"]
    if getattr(samples, "is_nested", False) or samples.ndim != 4:
        raise ValueError(
            f"{NODE} needs the latents of images, 4 dimensions (videos, channels, height, width); use Empty "
            "Latent Image with batch_size=1 and a checkpoint of images."
        )
    if latent.get("noise_mask") is not None:
        raise ValueError(
            f"{NODE} takes no latents with a noise mask, whose frames would have no image to keep; take out "
            "Set Latent Noise Mask."
        )
    if streams_in(guider.model_options["transformer_options"]) > 1:
        raise ValueError(f"{NODE} makes no motion halves, this MODEL is a dual-stream one; take another.")
    if len(samples) > 1:
        text = f"{NODE}: {len(samples)} latents become {len(samples)} videos of {num_frames} frames each"
        say(f"{text}; for one video give one latent (batch_size=1).", current_node())
    needed = _COPIES * num_frames * samples.numel() * 4
    check_memory(needed, f"{len(samples) * num_frames} frames", "lower num_frames or the size of the latents")
    ratio = latent.get("downscale_ratio_spacial")
    return comfy.sample.fix_empty_latent_channels(guider.model_patcher, samples, ratio)


def _sample_single_frames(
    guider, sampler, sigmas: torch.Tensor, latents: torch.Tensor, noise: torch.Tensor, seed: int
) -> torch.Tensor:
    """Latents (B, C, H, W) after some steps, each image a video of its own, without context windows."""
    before = guider.model_options
    to_network = {**before.get("transformer_options", {}), SINGLE_FRAMES: True}
    options = {key: value for key, value in before.items() if key != "context_handler"}
    guider.model_options = {**options, "transformer_options": to_network}
    callback = latent_preview.prepare_callback(guider.model_patcher, len(sigmas) - 1)
    quiet = not comfy.utils.PROGRESS_BAR_ENABLED
    try:
        done = guider.sample(
            noise, latents, sampler, sigmas, callback=callback, disable_pbar=quiet, seed=seed
        )
    finally:
        guider.model_options = before
    return done.to(intermediate_device())


def _factors(model, sigmas: torch.Tensor, as_published: bool) -> tuple[float, float]:
    """What frames and fresh noise are multiplied with, from sigmas (2,) of T0 and T1."""
    sampling = model.get_model_object("model_sampling")
    levels = [_level(sampling, sigma) for sigma in sigmas]
    if not as_published:
        return exact_factors(*levels)
    timesteps = [float(sampling.timestep(sigma)) if float(sigma) > 0 else 0.0 for sigma in sigmas]
    if not isinstance(sampling, ModelSamplingDiscrete) or min(timesteps) < 1:
        raise ValueError(
            "as_published needs a MODEL with discrete timesteps and a t0_step before the last one, this is "
            f"{type(sampling).__name__} at sigma={float(sigmas[0]):g}; turn it off or lower t0_step."
        )
    sooner = [_level(sampling, sampling.sigma(torch.tensor(timestep - 1))) for timestep in timesteps]
    return published_factors(*levels, *sooner)


def _level(sampling, sigma: torch.Tensor) -> float:
    """Noise divided by signal at a sigma: itself for most models, not for flows."""
    one, zero = torch.ones(1, 1, 1, 1), torch.zeros(1, 1, 1, 1)
    sigma = sigma.reshape(1).to(one)
    noise, signal = (sampling.noise_scaling(sigma, a, b, False) for a, b in ((one, zero), (zero, one)))
    return float(noise / signal) if float(signal) else math.inf
