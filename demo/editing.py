"""Videos without a motion module and edited ones on the tiny family, as the nodes make them.

Letters: F frames, C channels, H height, W width; clips are (F, 3, H, W) in 0..1.
"""

from __future__ import annotations

import dataclasses

import comfy.controlnet
import comfy.samplers
import torch
from comfy_extras.nodes_custom_sampler import Noise_RandomNoise

from ..host.controlnets.cross_frames import ControlCrossFrames, control_cross_frames
from ..host.injection import MotionSettings
from ..host.injection.cross_frame_attention import CrossFrames, apply_cross_frame_attention
from ..host.sampling.edit_guider import EditGuider, EditSettings
from ..host.sampling.invert_video import PromptGuider, invert_video
from ..host.sampling.text2video_zero import prepare_frames
from ..samplers.inversion import InversionSettings, relative_error
from ..samplers.shared_noise import SharedNoise, SharedNoiseSettings
from ..samplers.text2video_zero.motion_fields import MotionField
from ..samplers.text2video_zero.renoising import PrepareSettings
from . import play, world
from .files import path_of

STEPS, T1, T0 = 20, 13, 14
"""The published levels (2 and 5 of 50 steps) leave the place of the tiny family's things open, which is
decided in the middle of its schedule; so frames part later here.
"""
EDIT_STEPS, FROM, EDIT_GUIDANCE = 14, 4.5, 2.0
"""An edit begins at noise level FROM, below which the place of a thing is settled."""


def guider_of_frames(family: play.Family, text: str, hints: torch.Tensor | None = None):
    """The checkpoint with cross-frame attention, guided; with outlines (F, 3, H, W) in its ControlNet too."""
    model = apply_cross_frame_attention(family.model, CrossFrames(), MotionSettings())
    positive, negative = play.encode(family, [text]), play.encode(family, [""])
    if hints is not None:
        control = comfy.controlnet.load_controlnet(path_of("control"))
        control = control_cross_frames(control, ControlCrossFrames(CrossFrames()))
        positive, negative = (play.told(side, control, hints) for side in (positive, negative))
    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds(positive, negative)
    guider.set_cfg(play.GUIDANCE)
    return guider


def ddim_sigmas(family: play.Family) -> torch.Tensor:
    """The noise levels of STEPS of *ddim_uniform*, (STEPS + 1,)."""
    sampling = family.model.get_model_object("model_sampling")
    return comfy.samplers.calculate_sigmas(sampling, "ddim_uniform", STEPS)


@torch.inference_mode()
def first_frame(family: play.Family, text: str, seed: int) -> torch.Tensor:
    """The frame (1, 3, H, W) that `zero_clip` of this seed begins with."""
    return _sampled(family, guider_of_frames(family, text), Noise_RandomNoise(seed), 1)


@torch.inference_mode()
def zero_clip(family: play.Family, text: str, seed: int, num_frames: int, field: MotionField) -> torch.Tensor:
    """Text2Video-Zero from text: a clip that moves along the field."""
    guider, noise, sigmas = guider_of_frames(family, text), Noise_RandomNoise(seed), ddim_sigmas(family)
    sampler, settings = comfy.samplers.sampler_object("ddim"), PrepareSettings(num_frames, T1, T0)
    latent, rest = prepare_frames(noise, guider, sampler, sigmas, _empty(1), field, settings)
    nothing = torch.zeros_like(latent["samples"])
    samples = guider.sample(nothing, latent["samples"], sampler, rest, disable_pbar=True, seed=seed)
    return play.decoded(family, samples)


@torch.inference_mode()
def zero_clip_by_hints(family: play.Family, text: str, seed: int, hints: torch.Tensor) -> torch.Tensor:
    """Text2Video-Zero with ControlNet: a clip that follows outlines (F, 3, H, W), from one noise."""
    noise = SharedNoise(Noise_RandomNoise(seed), SharedNoiseSettings())
    return _sampled(family, guider_of_frames(family, text, hints), noise, len(hints))


def _sampled(family: play.Family, guider, noise, num_frames: int) -> torch.Tensor:
    start = _empty(num_frames)
    samples = guider.sample(
        noise.generate_noise(start), start["samples"], comfy.samplers.sampler_object("ddim"),
        ddim_sigmas(family), disable_pbar=True, seed=noise.seed,
    )  # fmt: skip
    return play.decoded(family, samples)


def _empty(num_frames: int) -> dict:
    return {"samples": torch.zeros(num_frames, 4, world.SIZE // 8, world.SIZE // 8)}


@dataclasses.dataclass(frozen=True)
class Edited:
    """An edited clip, the clip sampled back with its own prompt, and the relative error of its latents."""

    edit: torch.Tensor
    back: torch.Tensor
    error: float


@torch.inference_mode()
def edited_clip(
    family: play.Family, clip: torch.Tensor, text: str, edit_text: str, shared_attention: float = 1.0
) -> Edited:
    """A clip inverted with the motion module and sampled with another text."""
    model, latents = play.moving(family), family.vae.encode(clip.movedim(1, -1))
    sigmas = comfy.samplers.calculate_sigmas(
        model.get_model_object("model_sampling"), play.SCHEDULER, EDIT_STEPS
    )
    prompt, edit_prompt = (play.encode(family, [one]) for one in (text, edit_text))
    inverted, inversion, levels, _ = invert_video(
        model, prompt, {"samples": latents}, sigmas[sigmas < FROM], InversionSettings()
    )
    euler, none = comfy.samplers.sampler_object("euler"), torch.zeros_like(latents)
    back = PromptGuider(model, prompt).sample(none, inverted["samples"], euler, levels, disable_pbar=True)
    guider = EditGuider(model, inversion, edit_prompt, EditSettings(EDIT_GUIDANCE, shared_attention))
    edit = guider.sample(none, latents, euler, levels, disable_pbar=True)
    return Edited(play.decoded(family, edit), play.decoded(family, back), relative_error(back, latents))
