"""Runs the tiny family through ComfyUI's ordinary functions, in process:
what the benchmark and the tests look at.

Needs ComfyUI's `comfy` on the path. Letters: N pictures, F frames.
"""

from __future__ import annotations

import dataclasses

import comfy.controlnet
import comfy.sample
import comfy.samplers
import comfy.sd
import comfy.utils
import torch

from ..frame_values import FrameValues
from ..host.controlnets.over_time import OverTimeSettings, over_time
from ..host.files import demo_family
from ..host.injection import MotionSettings, apply_motion_module
from ..host.injection.camera import CameraMove, add_camera_control_from_file, move_camera
from ..host.injection.motion_loras import add_motion_lora_from_file
from ..host.injection.motion_models import MotionModule, motion_module_from_file
from ..host.sampling.reuse_deep_features import reuse_deep_features
from ..host.sampling.schedule_prompts import schedule_prompts
from ..host.windows import ContextSettings, apply_context_windows
from ..motion_modules.camera.poses import CameraPoses
from ..samplers.deep_features import ReuseSettings
from ..samplers.over_frames.prompts import PromptSettings
from . import world
from .files import path_of

STEPS, GUIDANCE, SAMPLER, SCHEDULER = 14, 4.0, "dpmpp_2m", "karras"


@dataclasses.dataclass(frozen=True)
class Family:
    """The loaded files as ComfyUI's objects."""

    model: object
    clip: object
    vae: object
    motion_module: MotionModule


def load_family() -> Family:
    """Load checkpoint and motion module the way CheckpointLoaderSimple and Load Motion Module do."""
    demo_family.register()
    model, clip, vae = comfy.sd.load_checkpoint_guess_config(
        path_of("checkpoint"), output_vae=True, output_clip=True
    )[:3]
    return Family(model, clip, vae, motion_module_from_file(path_of("motion")))


def encode(family: Family, texts: list[str]) -> list:
    """Conditioning of N texts, one per picture of the batch."""
    each = [family.clip.encode_from_tokens(family.clip.tokenize(t), return_pooled=True) for t in texts]
    return [[torch.cat([c for c, _ in each]), {"pooled_output": torch.cat([p for _, p in each])}]]


def controlled(conditioning: list, hints: torch.Tensor, strength: float | FrameValues = 1.0) -> list:
    """A conditioning that tells the ControlNet the outlines (N, 3, H, W), one per picture or one for all, as
    ControlNet over Time and Apply ControlNet do.
    """
    control = over_time(comfy.controlnet.load_controlnet(path_of("control")), OverTimeSettings(strength))
    return told(conditioning, control, hints)


def told(conditioning: list, control, hints: torch.Tensor) -> list:
    """A conditioning with a CONTROL_NET and its outlines (N, 3, H, W), as Apply ControlNet makes it."""
    control = control.copy().set_cond_hint(hints, 1.0, (0.0, 1.0))
    return [[c, {**more, "control": control, "control_apply_to_uncond": False}] for c, more in conditioning]


@torch.inference_mode()
def sample(
    family: Family, model, texts: list[str], seed: int, steps: int = STEPS, hints: torch.Tensor | None = None,
    control_strength: float | FrameValues = 1.0,
) -> torch.Tensor:  # fmt: skip
    """Pictures (N, 3, H, W) in 0..1 of N texts from a model patched as wanted; `hints` and `control_strength`
    as in `controlled`.
    """
    positive, negative = encode(family, texts), encode(family, [""])
    if hints is not None:
        positive, negative = (controlled(side, hints, control_strength) for side in (positive, negative))
    return _sample(family, model, positive, negative, len(texts), seed, steps)


@torch.inference_mode()
def prompts_clip(family: Family, model, settings: PromptSettings, seed: int) -> torch.Tensor:
    """The frames (F, 3, H, W) of a video whose frames have prompts of their own."""
    positive, negative, _ = schedule_prompts(family.clip, settings)
    return _sample(family, model, positive, negative, settings.num_frames, seed, STEPS)


def _sample(
    family: Family, model, positive: list, negative: list, number: int, seed: int, steps: int
) -> torch.Tensor:
    side = world.SIZE // 8
    latents = torch.zeros(number, 4, side, side)
    noise = comfy.sample.prepare_noise(latents, seed)
    samples = comfy.sample.sample(
        model,
        noise,
        steps,
        GUIDANCE,
        SAMPLER,
        SCHEDULER,
        positive,
        negative,
        latents,
        seed=seed,
        disable_pbar=True,
    )
    return family.vae.decode(samples).movedim(-1, 1)


@torch.inference_mode()
def latents_by(
    family: Family, model, text: str, seed: int, num_frames: int, sampler, steps: int = STEPS,
    latent: dict | None = None,
) -> torch.Tensor:  # fmt: skip
    """The latents (F, 4, H, W) that a SAMPLER makes of one text; latent: a LATENT to begin with."""
    side = world.SIZE // 8
    latents = torch.zeros(num_frames, 4, side, side) if latent is None else latent["samples"]
    return comfy.samplers.sample(
        model,
        comfy.sample.prepare_noise(latents, seed),
        encode(family, [text]),
        encode(family, [""]),
        GUIDANCE,
        model.load_device,
        sampler,
        comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), SCHEDULER, steps),
        latent_image=latents,
        denoise_mask=None if latent is None else latent.get("noise_mask"),
        disable_pbar=True,
        seed=seed,
    )


def sampler():
    """The SAMPLER by which clips are made."""
    return comfy.samplers.sampler_object(SAMPLER)


@torch.inference_mode()
def decoded(family: Family, latents: torch.Tensor) -> torch.Tensor:
    """The frames (F, 3, H, W) of latents."""
    return family.vae.decode(latents).movedim(-1, 1)


def images(family: Family, texts: list[str], seed: int, steps: int = STEPS, batch: int = 20) -> torch.Tensor:
    """Independent pictures (N, 3, H, W) of N texts, without a motion module."""
    done = [
        sample(family, family.model, texts[i : i + batch], seed + i, steps)
        for i in range(0, len(texts), batch)
    ]
    return torch.cat(done)


def moving(family: Family, strength: float | FrameValues = 1.0) -> object:
    """The MODEL with the motion module."""
    return apply_motion_module(family.model, family.motion_module, MotionSettings(strength=strength))


def not_moving(family: Family) -> object:
    """The MODEL on the motion module's noise schedule, the module never active:
    what to compare `moving` with.
    """
    return apply_motion_module(
        family.model, family.motion_module, MotionSettings(start_percent=1.0, end_percent=1.0)
    )


def moving_v2(family: Family) -> object:
    """The MODEL with the motion module in v2 layout."""
    return apply_motion_module(family.model, motion_module_from_file(path_of("motion_v2")), MotionSettings())


def with_camera(family: Family, move: str, strength: float = 1.0) -> object:
    """The MODEL with the motion module in v2 layout and the MotionLoRA "pan" or "zoom"."""
    module = add_motion_lora_from_file(motion_module_from_file(path_of("motion_v2")), path_of(move), strength)
    return apply_motion_module(family.model, module, MotionSettings())


def steered(family: Family, camera: CameraPoses, strength: float = 1.0) -> object:
    """The MODEL with the motion module in v2 layout and camera control, told poses, at least one for each
    frame.
    """
    module = add_camera_control_from_file(motion_module_from_file(path_of("motion_v2")), path_of("camera"))
    return apply_motion_module(
        family.model, move_camera(module, CameraMove(camera, strength)), MotionSettings()
    )


def with_cameras_in_turn(family: Family, first: str, second: str, percent: float) -> object:
    """The MODEL with one MotionLoRA up to a percent (0..1) of the noise schedule,
    and another one from there on.
    """
    module, model = motion_module_from_file(path_of("motion_v2")), family.model
    for move, start, end in ((first, 0.0, percent), (second, percent, 1.0)):
        settings = MotionSettings(start_percent=start, end_percent=end)
        model = apply_motion_module(model, add_motion_lora_from_file(module, path_of(move), 1.0), settings)
    return model


def at_dusk(family: Family, strength: float = 1.0) -> Family:
    """The family on its second base: the checkpoint with the dusk LoRA, put on as Load LoRA does."""
    lora = comfy.utils.load_torch_file(path_of("dusk"), safe_load=True)
    model, _ = comfy.sd.load_lora_for_models(family.model, None, lora, strength, 0.0)
    return dataclasses.replace(family, model=model)


def in_windows(model, context_length: int = 16, context_overlap: int = 8, **settings) -> object:
    """The MODEL sampled in overlapping windows with FreeNoise; settings: others of ContextSettings."""
    settings = {"noise_type": "freenoise", **settings}
    return apply_context_windows(model, ContextSettings(context_length, context_overlap, **settings))


def with_same_noise(model) -> object:
    """The MODEL sampled from one noise for all frames, so that what no module moves stands still."""
    return in_windows(model, noise_type="constant")


def reusing(model, interval: int = 2, depth: int = 1) -> object:
    """The MODEL that computes one step in `interval` whole."""
    return reuse_deep_features(model, ReuseSettings(interval, depth))


def clip_of(family: Family, model, text: str, seed: int, num_frames: int = 16, steps: int = STEPS,
            hints: torch.Tensor | None = None, control_strength: float | FrameValues = 1.0,
            ) -> torch.Tensor:  # fmt: skip
    """The frames (F, 3, H, W) of one text."""
    return sample(family, model, [text] * num_frames, seed, steps, hints, control_strength)
