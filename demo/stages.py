"""What each training stage is scored by.

Source: Salimans and Ho 2022, arXiv 2202.00512 (weights SNR + 1, which count errors of velocity alike at every
noise level); Guo et al. 2023, arXiv 2307.04725, section 4 (motion stage: one noise level per clip, linear
betas); Ho et al. 2022, arXiv 2204.03458, section 3.2 (pictures and clips together). Letters: N frames, B
clips, F frames of a clip, C channels, h, w latent size.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

from ..host.injection.apply import attention_with
from ..host.injection.places import places_of
from ..motion_modules.animatediff.layers import MotionModel, motion_acts
from ..motion_modules.call import Call
from ..motion_modules.camera.motion_ctrl import MotionCtrl
from ..motion_modules.camera.motion_ctrl import acts as camera_acts
from ..motion_modules.points import inject
from . import networks, world
from .batches import Batch
from .camera_teachers import Teachers
from .dusk import at_dusk
from .moving_camera import ToldCameras

PROBED = (
    "input_blocks.2.1", "input_blocks.5.1", "input_blocks.8.1", "middle_block.2",
    "output_blocks.4.1", "output_blocks.7.1", "output_blocks.10.1",
)  # fmt: skip
PROBE_WEIGHT = 0.05
LEAST_CHANGE = 0.015  # of a prediction: less is hardly learned from


class MotionProbe(nn.Module):
    """Linear readers of the named motion from the UNet's features at PROBED, in training only.

    A picture hardly needs to know whether its thing "grows"; a motion module, which never sees the text,
    does. What the probes ask of the UNet makes its features tell, at every noise level.
    """

    def __init__(self, unet: nn.Module):
        super().__init__()
        self.features: dict[str, torch.Tensor] = {}
        blocks = dict(unet.named_modules())
        for name in PROBED:
            blocks[name].register_forward_hook(
                lambda _module, _inputs, output, name=name: self.features.__setitem__(name, output)
            )
        widths = {name: networks.width_of(blocks[name]) for name in PROBED}
        self.heads = nn.ModuleDict(
            {n.replace(".", "_"): nn.Linear(w, len(world.MOTIONS) + 1) for n, w in widths.items()}
        )

    def loss(self, motions: torch.Tensor) -> torch.Tensor:
        """Mean cross-entropy of the last forward's features against the named motions (N,)."""
        losses = []
        for name in PROBED:
            pooled = normalised_mean(self.features.pop(name))
            # Smoothed, because a probe that wants to be ever surer makes the features say nothing else.
            losses.append(
                F.cross_entropy(self.heads[name.replace(".", "_")](pooled), motions, label_smoothing=0.2)
            )
        return torch.stack(losses).mean()


def normalised_mean(features: torch.Tensor, groups: int = 32) -> torch.Tensor:
    """Mean over the pixels of what GroupNorm without weights makes of (N, C, h, w): (N, C) in float32."""
    by_channel = features.float().flatten(2)
    mean, square = by_channel.mean(2), by_channel.square().mean(2)
    mean, square = mean.unflatten(1, (groups, -1)), square.unflatten(1, (groups, -1))
    centre = mean.mean(2, keepdim=True)
    variance = square.mean(2, keepdim=True) - centre.square()
    return ((mean - centre) / (variance + 1e-5).sqrt()).flatten(1)


def base_loss(
    text, unet, probe: MotionProbe, motion: MotionModel, images: Batch, clips: Batch
) -> torch.Tensor:
    """Loss of single pictures without the motion module, of clips with it, and the probes' share.

    What the module needs to know of the text comes to it through
    the UNet's features only, so both are trained together.
    """
    loss = noise_loss(unet, networks.encode(images.frames()), images, text(images.rows))
    loss = loss + PROBE_WEIGHT * probe.loss(images.motions)
    context = clips.each_frame(text(clips.rows))
    with moving(unet, motion, clips.num_frames):
        loss = loss + noise_loss(unet, networks.encode(clips.frames()), clips, context)
    probe.features.clear()
    return loss


def motion_loss(text, unet, motion: MotionModel, clips: Batch) -> torch.Tensor:
    """Loss of clips on the frozen base."""
    with torch.no_grad():
        latents = networks.encode(clips.frames())
        context = clips.each_frame(text(clips.rows))
    with moving(unet, motion, clips.num_frames):
        return noise_loss(unet, latents, clips, context)


def camera_loss(
    text, unet, plain: MotionModel, teachers: Teachers, steered: MotionCtrl, clips: Batch
) -> torch.Tensor:
    """How far camera control on the frozen base is from what the teachers make of each clip, relative to what
    they change: what the module itself cannot know cancels. plain: the module without either.

    Clips without a caption are what a negative prompt sees: their cameras are not told, and nothing of them
    changes.
    """
    with torch.no_grad():
        context = clips.each_frame(text(clips.rows))
        noisy, _, kept = noised(networks.encode(clips.frames()), clips)
        times = clips.each_frame(clips.times)
        told = [
            index for index, curve in enumerate(clips.curves) if clips.captioned[index] and not curve.holds
        ]
        predict = partial(_predicted, unet, num_frames=clips.num_frames)
        without = predict(plain, noisy, times, context)
        target = without.clone()
        for index in told:
            frames = torch.arange(clips.num_frames, device=noisy.device) + index * clips.num_frames
            curve = clips.curves[index]
            frames = frames.flip(0) if curve.backwards else frames  # as the teachers go
            seen = noisy[frames], times[frames], context[frames]
            with teachers.at(curve.shares):
                taught = predict(teachers.motion, *seen)
            target[frames] += taught - (predict(plain, *seen) if curve.backwards else without[frames])
    camera = ToldCameras(tuple(curve.poses for curve in clips.curves), clips.captioned)
    found = predict(steered, noisy, times, context, acts=camera_acts, inputs=camera)
    error, change = (
        ((one - target) ** 2 / kept).unflatten(0, (-1, clips.num_frames)).flatten(1).mean(1)
        for one in (found, without)
    )
    return (error / (change + LEAST_CHANGE)).mean()


def _predicted(unet, motion, noisy, times, context, num_frames: int, acts=motion_acts, inputs=None):
    with moving(unet, motion, num_frames, acts, inputs):
        return denoise(unet, noisy, times, context)


def dusk_loss(text, unet, images: Batch) -> torch.Tensor:
    """Loss of single pictures as they look at dusk."""
    with torch.no_grad():
        latents, context = networks.encode(at_dusk(images.frames())), text(images.rows)
    return noise_loss(unet, latents, images, context)


def control_loss(text, unet, controlnet: nn.Module, motion: MotionModel, batch: Batch) -> torch.Tensor:
    """Loss of frames whose things' outlines the ControlNet is told: single pictures without the motion
    module, or clips with it.
    """
    with torch.no_grad():
        latents, context = networks.encode(batch.frames()), batch.each_frame(text(batch.rows))
        outlines = batch.outlines().to(next(controlnet.parameters()).dtype)

    def control(x: torch.Tensor, t: torch.Tensor, context: torch.Tensor) -> dict:
        return controlnet(x, outlines, t.float(), context)

    with moving(unet, motion, batch.num_frames) if batch.num_frames > 1 else nullcontext():
        return noise_loss(unet, latents, batch, context, control)


def noise_loss(
    unet, latents: torch.Tensor, batch: Batch, context: torch.Tensor, control: Control | None = None
) -> torch.Tensor:
    """Squared error of the predicted noise, weighted by 1 / kept = 1 + sigma^2:
    latents (N, 4, h, w), context (N, 77, C).

    A plain noise loss all but ignores the levels at which it is
    decided what is where: the base never learns left from right.
    """
    noisy, noise, kept = noised(latents, batch)
    predicted = denoise(unet, noisy, batch.each_frame(batch.times), context, control)
    return ((predicted - noise) ** 2 / kept).mean()


def noised(latents: torch.Tensor, batch: Batch) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Latents (N, 4, h, w) under noise, that noise, and how much of each is kept (N, 1, 1, 1)."""
    generator = torch.Generator(latents.device).manual_seed(batch.seed)
    noise = torch.randn(latents.shape, generator=generator, device=latents.device)
    kept = batch.each_frame(batch.kept).view(-1, 1, 1, 1)
    return kept.sqrt() * latents + (1 - kept).sqrt() * noise, noise, kept


Control = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], dict]
"""control(noisy, t, context) -> what core's UNet takes from a ControlNet."""


def denoise(
    unet, noisy: torch.Tensor, t: torch.Tensor, context: torch.Tensor, control: Control | None = None
) -> torch.Tensor:
    """The UNet's noise prediction (N, 4, h, w) float32, computed in the UNet's own type."""
    kind = next(unet.parameters()).dtype
    options = {"patches": {}}
    x = noisy.to(kind)
    if x.device.type == "cpu":
        options["optimized_attention_override"] = networks.plain_attention
        x = x.contiguous(memory_format=torch.channels_last)
    context = context.to(kind)
    if control is not None:
        options["patches"]["output_block_patch"] = [added_control(control(x, t, context))]
    return unet(x, t.float(), context=context, transformer_options=options).float()


def added_control(told: dict) -> Callable:
    """A patch that adds a ControlNet's tensors as core's `control=` does,
    but not in place, which autograd does not survive.
    """
    skips, middle = list(told["output"]), list(told["middle"])

    def patch(h: torch.Tensor, skip: torch.Tensor, _options: dict) -> tuple[torch.Tensor, torch.Tensor]:
        h = h + middle.pop() if middle else h  # the first call's h is what left the middle block
        return h, skip + skips.pop()

    return patch


def moving(
    unet: nn.Module, motion: MotionModel, num_frames: int, acts: Callable = motion_acts, inputs=None
) -> AbstractContextManager:
    """Inside, core's UNet runs with the module behind its blocks, as the pack's own nodes put it there, on
    clips of F frames. acts, inputs: of the method that the module is of, and what it needs besides weights.
    """

    def resolve(forward):
        return Call(forward, num_frames, attention=attention_with(forward.options), inputs=inputs)

    return inject(unet, acts(motion, places_of(unet)), resolve)


def decoder_loss(decoder, images: Batch) -> torch.Tensor:
    """Mean absolute plus squared error of decoded frames, one in four at dusk;
    latents carry a little noise, as sampled ones do.
    """
    frames = images.frames()
    frames = torch.cat([frames[: len(frames) * 3 // 4], at_dusk(frames[len(frames) * 3 // 4 :])])
    latents = networks.encode(frames)
    generator = torch.Generator(latents.device).manual_seed(images.seed)
    strength = 0.06 * torch.rand(len(frames), 1, 1, 1, generator=generator, device=latents.device)
    noisy = latents + strength * torch.randn(latents.shape, generator=generator, device=latents.device)
    wrong = decoder(noisy.contiguous(memory_format=torch.channels_last)) - frames
    return F.smooth_l1_loss(wrong, torch.zeros_like(wrong), beta=0.05)
