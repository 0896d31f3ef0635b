"""What each training stage draws from the world and what it is scored by.

Source: Ho et al. 2020, arXiv 2006.11239 (noise prediction); Guo et al. 2023, arXiv 2307.04725, section 4 (motion stage:
one noise level per clip, linear betas). Letters: N frames, B clips, F frames of a clip, C channels, h, w latent size.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from types import SimpleNamespace

import torch
import torch.nn.functional as F
from comfy.ldm.modules.attention import SpatialTransformer
from comfy.ldm.modules.diffusionmodules.openaimodel import ResBlock
from torch import nn

from ..host.injection import PATCH, MotionInjection, MotionSettings
from ..host.motion_models import MotionModule
from ..motion_modules.animatediff import MotionModel
from . import networks, world

UNKNOWN = -1  # a token that has no row of its own
EMPTY_CAPTIONS, UNKNOWN_WORDS, NAMED_MOTION, NAMED_PLACE = 0.1, 0.02, 0.75, 0.5
CAMERA_MOVES = 0.1  # share of single frames taken while the camera moves
PROBED = (
    "input_blocks.2.1", "input_blocks.5.1", "input_blocks.8.1", "middle_block.2",
    "output_blocks.4.1", "output_blocks.7.1", "output_blocks.10.1",
)  # fmt: skip
PROBE_WEIGHT = 0.05


def noise_levels() -> torch.Tensor:
    """Cumulative alphas (2, 1000) of Stable Diffusion's scaled-linear and of AnimateDiff's linear betas."""
    scaled = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    linear = torch.linspace(0.00085, 0.012, 1000, dtype=torch.float64)
    return torch.cumprod(1 - torch.stack([scaled, linear]), 1).float()


def draw_scene(rng: random.Random, camera: str = "fixed", single: bool = False) -> tuple[world.Scene, str, float]:
    """A scene, its caption and the time of its first frame, or of its only frame where it is a single picture.

    A named motion with an end begins at its beginning. Single pictures often name the place, clips only of what stays in it."""
    scene = world.random_scene(rng, camera=camera)
    named = rng.random() < NAMED_MOTION
    whole = camera != "fixed" or (named and scene.motion in (*world.DRIFTS, "grow", "shrink"))
    time = (0.0 if whole else rng.uniform(0, 20)) + (rng.uniform(0, 15) if single else 0.0)
    placed = rng.random() < NAMED_PLACE and (single or (scene.motion in world.IN_PLACE and camera == "fixed"))
    where = world.place_of(scene, time) if placed else ""
    return scene, world.caption(scene, rng, name_motion=float(named), where=where), time


def named_motion(caption: str) -> int:
    """Index in world.MOTIONS of the motion that a caption names, or their number where it names none."""
    for index, motion in enumerate(world.MOTIONS):
        if any(phrase in caption for pair in world.MOTION_WORDS[motion] for phrase in pair):
            return index
    return len(world.MOTIONS)


def draw_rows(captions: list[str], text: networks.TextEncoder, tokens: dict[str, list[int]], rng: random.Random) -> torch.Tensor:
    """Token rows (N, 77) of captions, some of them emptied (for guidance), some words replaced by unknown ones."""
    rows = []
    for caption in captions:
        line = [] if rng.random() < EMPTY_CAPTIONS else networks.caption_tokens(caption, tokens)
        rows.append(text.rows([UNKNOWN if rng.random() < UNKNOWN_WORDS else t for t in line]))
    return torch.tensor(rows)


def draw_pictures(count: int, rng: random.Random) -> tuple[list[world.Scene], list[float], list[str]]:
    """Scenes, a random time of each and their captions; some are taken while the camera moves."""
    cameras = [rng.choice(world.CAMERAS) if rng.random() < CAMERA_MOVES else "fixed" for _ in range(count)]
    drawn = [draw_scene(rng, camera, single=True) for camera in cameras]
    return [s for s, _, _ in drawn], [t for _, _, t in drawn], [c for _, c, _ in drawn]


def draw_frames(count: int, rng: random.Random) -> tuple[torch.Tensor, list[str]]:
    """Single frames (N, 3, H, W) at random times of random scenes, and their captions."""
    scenes, times, captions = draw_pictures(count, rng)
    return world.render_clips(scenes, 1, times)[:, 0], captions


def draw_levels(batch: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Timesteps (N,), stratified, half of them tilted to high noise, and how much of the picture each keeps (N, 1, 1, 1)."""
    level = (torch.rand(batch, generator=generator) + torch.arange(batch)) / batch
    tilted = torch.arange(batch) % 2 == 0
    t = (torch.where(tilted, 1 - level**1.5, level) * 1000).long().clamp(0, 999)
    return t, noise_levels()[torch.randint(0, 2, (batch,), generator=generator), t].view(-1, 1, 1, 1)


class MotionProbe(nn.Module):
    """Linear readers of the named motion from the UNet's features at PROBED, in training only.

    A picture hardly needs to know whether its thing "grows"; a motion module, which never sees the text, does. What the
    probes ask of the UNet makes its features tell, at every noise level."""

    def __init__(self, unet: nn.Module):
        super().__init__()
        self.features: dict[str, torch.Tensor] = {}
        blocks = dict(unet.named_modules())
        for name in PROBED:
            blocks[name].register_forward_hook(lambda _module, _inputs, output, name=name: self.features.__setitem__(name, output))
        widths = {name: networks.width_of(blocks[name]) for name in PROBED}
        self.heads = nn.ModuleDict({n.replace(".", "_"): nn.Linear(w, len(world.MOTIONS) + 1) for n, w in widths.items()})

    def loss(self, motions: torch.Tensor) -> torch.Tensor:
        """Mean cross-entropy of the last forward's features against the named motions (N,)."""
        losses = []
        for name in PROBED:
            pooled = normalised_mean(self.features.pop(name))
            # Smoothed, because a probe that wants to be ever surer makes the features say nothing else.
            losses.append(F.cross_entropy(self.heads[name.replace(".", "_")](pooled), motions, label_smoothing=0.2))
        return torch.stack(losses).mean()


def normalised_mean(features: torch.Tensor, groups: int = 32) -> torch.Tensor:
    """Mean over the pixels of what GroupNorm without weights makes of (N, C, h, w): (N, C) in float32."""
    by_channel = features.float().flatten(2)
    mean, square = by_channel.mean(2), by_channel.square().mean(2)
    mean, square = mean.unflatten(1, (groups, -1)), square.unflatten(1, (groups, -1))
    centre = mean.mean(2, keepdim=True)
    variance = square.mean(2, keepdim=True) - centre.square()
    return ((mean - centre) / (variance + 1e-5).sqrt()).flatten(1)


def unet_loss(text, unet, probe: MotionProbe, tokens: dict[str, list[int]], batch: int, rng: random.Random,
              generator: torch.Generator) -> torch.Tensor:  # fmt: skip
    """Weighted noise-prediction loss of a batch of single frames, both beta schedules mixed, and the probes' share."""
    frames, captions = draw_frames(batch, rng)
    latents = networks.encode(frames)
    rows = draw_rows(captions, text, tokens, rng)
    context = text(rows)
    t, kept = draw_levels(batch, generator)
    loss = noise_loss(unet, latents, t, kept, context, generator)
    empty = rows[:, 1] == rows[:, -1]
    motions = torch.tensor([named_motion(c) for c in captions]).masked_fill(empty, len(world.MOTIONS))
    return loss + PROBE_WEIGHT * probe.loss(motions)


def noise_loss(unet, latents, t, kept, context, generator: torch.Generator, patches: dict | None = None,
               heaviest: float = 4.0, control: Control | None = None) -> torch.Tensor:  # fmt: skip
    """Weighted squared error of the predicted noise: latents (N, 4, h, w), t (N,), kept (N, 1, 1, 1), context (N, 77, C)."""
    noise = torch.randn(latents.shape, generator=generator)
    noisy = kept.sqrt() * latents + (1 - kept).sqrt() * noise
    predicted = denoise(unet, noisy, t, context, patches, control)
    sigma = ((1 - kept) / kept).sqrt()
    weight = (1 + sigma**2).sqrt().clamp(max=heaviest)  # plain noise loss all but ignores the levels that decide what is where
    return (weight * (predicted - noise) ** 2).mean()


Control = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], dict]
"""control(noisy, t, context) -> what core's UNet takes from a ControlNet."""


def denoise(unet, noisy: torch.Tensor, t: torch.Tensor, context: torch.Tensor, patches: dict | None = None,
            control: Control | None = None) -> torch.Tensor:  # fmt: skip
    """The UNet's noise prediction (N, 4, h, w) float32, computed in the UNet's own type."""
    kind = next(unet.parameters()).dtype
    options = {"optimized_attention_override": networks.plain_attention, "patches": patches or {}}
    x = noisy.to(kind).contiguous(memory_format=torch.channels_last)
    context = context.to(kind)
    if control is not None:
        options["patches"] = options["patches"] | {"output_block_patch": [added_control(control(x, t, context))]}
    return unet(x, t.float(), context=context, transformer_options=options).float()


def added_control(told: dict) -> Callable:
    """A patch that adds a ControlNet's tensors as core's `control=` does, but not in place, which autograd does not survive."""
    skips, middle = list(told["output"]), list(told["middle"])

    def patch(h: torch.Tensor, skip: torch.Tensor, _options: dict) -> tuple[torch.Tensor, torch.Tensor]:
        h = h + middle.pop() if middle else h  # the first call's h is what left the middle block
        return h, skip + skips.pop()

    return patch


def motion_patches(motion: MotionModel, num_frames: int) -> dict:
    """Patches with which core's UNet runs the module behind its blocks, by the pack's own injection, on clips of F frames."""
    module = MotionModule(SimpleNamespace(model=motion), motion.config, "in training")
    settings = MotionSettings(frames_per_video=num_frames)
    innermost = frozenset([("input", 10), ("input", 11), ("output", 0), ("output", 1), ("output", 2)])
    injection = MotionInjection(module, settings, sigma_range=None, blocks_without_transformer=innermost)
    return {PATCH: [((SpatialTransformer, ResBlock), injection)]}


def motion_loss(text, unet, motion: MotionModel, tokens: dict[str, list[int]], frames_in_batch: int, rng: random.Random,
                generator: torch.Generator, camera: str = "fixed") -> torch.Tensor:  # fmt: skip
    """Weighted noise-prediction loss of clips, one noise level a clip; three in four batches hold clips of 16 frames, unless
    the camera moves, which takes all 16."""
    num_frames = rng.choice((16, 16, 16, 8)) if camera == "fixed" else 16
    clips = frames_in_batch // num_frames
    drawn = [draw_scene(rng, camera) for _ in range(clips)]
    frames = world.render_clips([s for s, _, _ in drawn], num_frames, [first for _, _, first in drawn])
    with torch.no_grad():
        latents = networks.encode(frames.flatten(0, 1))
        context = text(draw_rows([c for _, c, _ in drawn], text, tokens, rng)).repeat_interleave(num_frames, 0)
    t = motion_levels(clips, generator).repeat_interleave(num_frames)
    kept = noise_levels()[1, t].view(-1, 1, 1, 1)
    return noise_loss(unet, latents, t, kept, context, generator, motion_patches(motion, num_frames), heaviest=10.0)


def motion_levels(clips: int, generator: torch.Generator) -> torch.Tensor:
    """A timestep for each clip, (B,): three in four above 350, stratified, because paths are decided where noise is high."""
    low = max(1, clips // 4)
    high = 350 + 650 * (torch.rand(clips - low, generator=generator) + torch.arange(clips - low)) / max(1, clips - low)
    return torch.cat([high, 350 * torch.rand(low, generator=generator)]).long().clamp(0, 999)


def dusk_loss(text, unet, tokens: dict[str, list[int]], batch: int, rng: random.Random, generator: torch.Generator) -> torch.Tensor:
    """Weighted noise-prediction loss of single frames as they look at dusk."""
    frames, captions = draw_frames(batch, rng)
    with torch.no_grad():
        context = text(draw_rows(captions, text, tokens, rng))
    t, kept = draw_levels(batch, generator)
    return noise_loss(unet, networks.encode(world.at_dusk(frames)), t, kept, context, generator)


def control_loss(text, unet, controlnet: nn.Module, tokens: dict[str, list[int]], batch: int, rng: random.Random,
                 generator: torch.Generator) -> torch.Tensor:  # fmt: skip
    """Weighted noise-prediction loss of single frames whose things' outlines the ControlNet is told."""
    scenes, times, captions = draw_pictures(batch, rng)
    frames, blobs = world.render_clips(scenes, 1, times)[:, 0], world.hints(scenes, 1, times)[:, 0]
    kind = next(controlnet.parameters()).dtype
    with torch.no_grad():
        context = text(draw_rows(captions, text, tokens, rng))
    t, kept = draw_levels(batch, generator)

    def control(x: torch.Tensor, t: torch.Tensor, context: torch.Tensor) -> dict:
        return controlnet(x, blobs.to(kind), t.float(), context)

    return noise_loss(unet, networks.encode(frames), t, kept, context, generator, control=control)


def decoder_loss(decoder, batch: int, rng: random.Random, generator: torch.Generator) -> torch.Tensor:
    """Mean absolute plus squared error of decoded frames; latents carry a little noise, as sampled ones do."""
    frames, _ = draw_frames(batch, rng)
    frames = torch.cat([frames[: batch * 3 // 4], world.at_dusk(frames[batch * 3 // 4 :])])
    latents = networks.encode(frames)
    strength = 0.06 * torch.rand(batch, 1, 1, 1, generator=generator)
    noisy = latents + strength * torch.randn(latents.shape, generator=generator)
    wrong = decoder(noisy.contiguous(memory_format=torch.channels_last)) - frames
    return F.smooth_l1_loss(wrong, torch.zeros_like(wrong), beta=0.05)
