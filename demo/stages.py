"""What each training stage draws from the world and what it is scored by.

Source: Ho et al. 2020, arXiv 2006.11239 (noise prediction); Guo et al. 2023, arXiv 2307.04725, section 4 (motion stage:
one noise level per clip, linear betas). Letters: N frames, B clips, F frames of a clip, C channels, h, w latent size.
"""

from __future__ import annotations

import random
from types import SimpleNamespace

import torch
import torch.nn.functional as F
from comfy.ldm.modules.attention import SpatialTransformer
from comfy.ldm.modules.diffusionmodules.openaimodel import ResBlock

from ..host.injection import PATCH, MotionInjection, MotionSettings
from ..host.motion_models import MotionModule
from ..motion_modules.animatediff import MotionModel
from . import networks, world

UNKNOWN = -1  # a token that has no row of its own
EMPTY_CAPTIONS, UNKNOWN_WORDS, NAMED_MOTION = 0.1, 0.02, 0.75


def noise_levels() -> torch.Tensor:
    """Cumulative alphas (2, 1000) of Stable Diffusion's scaled-linear and of AnimateDiff's linear betas."""
    scaled = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    linear = torch.linspace(0.00085, 0.012, 1000, dtype=torch.float64)
    return torch.cumprod(1 - torch.stack([scaled, linear]), 1).float()


def draw_scene(rng: random.Random) -> tuple[world.Scene, str, float]:
    """A scene, its caption and the time of its first frame; a named drift begins at its beginning."""
    scene = world.random_scene(rng)
    named = rng.random() < NAMED_MOTION
    first = 0.0 if named and scene.motion in ("left", "right", "up", "down") else rng.uniform(0, 20)
    return scene, world.caption(scene, rng, name_motion=float(named)), first


def draw_rows(captions: list[str], text: networks.TextEncoder, tokens: dict[str, list[int]], rng: random.Random) -> torch.Tensor:
    """Token rows (N, 77) of captions, some of them emptied (for guidance), some words replaced by unknown ones."""
    rows = []
    for caption in captions:
        line = [] if rng.random() < EMPTY_CAPTIONS else networks.caption_tokens(caption, tokens)
        rows.append(text.rows([UNKNOWN if rng.random() < UNKNOWN_WORDS else t for t in line]))
    return torch.tensor(rows)


def draw_frames(count: int, rng: random.Random) -> tuple[torch.Tensor, list[str]]:
    """Single frames (N, 3, H, W) at random times of random scenes, and their captions."""
    drawn = [draw_scene(rng) for _ in range(count)]
    scenes, times = [s for s, _, _ in drawn], [t + rng.uniform(0, 15) for _, _, t in drawn]
    return world.render_clips(scenes, 1, times)[:, 0], [c for _, c, _ in drawn]


def unet_loss(text, unet, tokens: dict[str, list[int]], batch: int, rng: random.Random, generator: torch.Generator) -> torch.Tensor:
    """Weighted noise-prediction loss of a batch of single frames, both beta schedules mixed."""
    frames, captions = draw_frames(batch, rng)
    latents = networks.encode(frames)
    context = text(draw_rows(captions, text, tokens, rng))
    level = (torch.rand(batch, generator=generator) + torch.arange(batch)) / batch  # stratified
    tilted = torch.arange(batch) % 2 == 0
    level = torch.where(tilted, 1 - level**1.5, level)
    t = (level * 1000).long().clamp(0, 999)
    kept = noise_levels()[torch.randint(0, 2, (batch,), generator=generator), t].view(-1, 1, 1, 1)
    return noise_loss(unet, latents, t, kept, context, generator)


def noise_loss(unet, latents, t, kept, context, generator: torch.Generator, patches: dict | None = None) -> torch.Tensor:
    """Weighted squared error of the predicted noise: latents (N, 4, h, w), t (N,), kept (N, 1, 1, 1), context (N, 77, C)."""
    noise = torch.randn(latents.shape, generator=generator)
    noisy = kept.sqrt() * latents + (1 - kept).sqrt() * noise
    predicted = denoise(unet, noisy, t, context, patches)
    sigma = ((1 - kept) / kept).sqrt()
    weight = (1 + sigma**2).sqrt().clamp(max=4)  # plain noise loss all but ignores the levels that decide what is where
    return (weight * (predicted - noise) ** 2).mean()


def denoise(unet, noisy: torch.Tensor, t: torch.Tensor, context: torch.Tensor, patches: dict | None = None) -> torch.Tensor:
    """The UNet's noise prediction (N, 4, h, w) float32, computed in the UNet's own type."""
    kind = next(unet.parameters()).dtype
    options = {"optimized_attention_override": networks.plain_attention, "patches": patches or {}}
    # The input asks for a gradient because torch's GroupNorm backward on the CPU can crash without.
    x = noisy.to(kind).contiguous(memory_format=torch.channels_last).requires_grad_(torch.is_grad_enabled())
    return unet(x, t.float(), context=context.to(kind), transformer_options=options).float()


def motion_patches(motion: MotionModel, num_frames: int) -> dict:
    """Patches with which core's UNet runs the module behind its blocks, by the pack's own injection, on clips of F frames."""
    module = MotionModule(SimpleNamespace(model=motion), motion.config, "in training")
    settings = MotionSettings(frames_per_video=num_frames)
    innermost = frozenset([("input", 10), ("input", 11), ("output", 0), ("output", 1), ("output", 2)])
    injection = MotionInjection(module, settings, sigma_range=None, blocks_without_transformer=innermost)
    return {PATCH: [((SpatialTransformer, ResBlock), injection)]}


def motion_loss(text, unet, motion: MotionModel, tokens: dict[str, list[int]], frames_in_batch: int, rng: random.Random,
                generator: torch.Generator) -> torch.Tensor:  # fmt: skip
    """Weighted noise-prediction loss of clips, one noise level a clip; three in four batches hold clips of 16 frames."""
    num_frames = rng.choice((16, 16, 16, 8))
    clips = frames_in_batch // num_frames
    drawn = [draw_scene(rng) for _ in range(clips)]
    frames = world.render_clips([s for s, _, _ in drawn], num_frames, [first for _, _, first in drawn])
    with torch.no_grad():
        latents = networks.encode(frames.flatten(0, 1))
        context = text(draw_rows([c for _, c, _ in drawn], text, tokens, rng)).repeat_interleave(num_frames, 0)
    level = (torch.rand(clips, generator=generator) + torch.arange(clips)) / clips
    t = ((1 - level**1.5) * 1000).long().clamp(0, 999).repeat_interleave(num_frames)
    kept = noise_levels()[1, t].view(-1, 1, 1, 1)
    return noise_loss(unet, latents, t, kept, context, generator, motion_patches(motion, num_frames))


def decoder_loss(decoder, batch: int, rng: random.Random, generator: torch.Generator) -> torch.Tensor:
    """Mean absolute plus squared error of decoded frames; latents carry a little noise, as sampled ones do."""
    frames, _ = draw_frames(batch, rng)
    latents = networks.encode(frames)
    strength = 0.06 * torch.rand(batch, 1, 1, 1, generator=generator)
    noisy = latents + strength * torch.randn(latents.shape, generator=generator)
    wrong = decoder(noisy.contiguous(memory_format=torch.channels_last)) - frames
    return F.smooth_l1_loss(wrong, torch.zeros_like(wrong), beta=0.05)
