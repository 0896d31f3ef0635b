"""What the training templates do, on the demo's family: LoRAs of looks and motion, mixed tuning, a picture
that is animated, key frames that are filled in.

Letters: F frames, H height, W width; clips are (F, 3, H, W) in 0..1.
"""

from __future__ import annotations

import dataclasses

import comfy.sample
import comfy.sd
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from ..frame_tools.degrading import DegradeSettings, degraded
from ..host.injection import MotionSettings, apply_motion_module
from ..host.injection.known_frames import KnownFrames, set_known_frames
from ..host.injection.motion_models import MotionModule, new_for_model
from ..host.tuning.clips import add_clip
from ..host.tuning.network_loras import train_network_lora
from ..host.tuning.run import TrainingRun, TrainingSampler
from ..host.tuning.temporal_training import train_motion_lora, train_temporal_layers
from ..tuning.recipe import Recipe
from . import inputs, play

RANK, DOWNSCALE, PAN, KEYS = 8, 4.0, 0.35, "::4"
SHOWN = "a big ring in the desert"
"""The video that the templates load, without its colour and its motion."""
ORBIT, ORBIT_RED = (f"a big {colour} ring orbits in the desert" for colour in ("purple", "red"))
PICTURE = "a big red ball in the meadow"


def a_run(family: play.Family, clip: torch.Tensor, text: str, **recipe) -> TrainingRun:
    """A run of the velocity loss on one clip; recipe: what differs from the templates' options."""
    clips = add_clip(None, {"samples": family.vae.encode(clip.movedim(1, -1))}, play.encode(family, [text]))
    told = {"rate_schedule": "cosine", "text_dropout": 0.0, "loss": "velocity", **recipe}
    return TrainingRun(clips, play.encode(family, [""]), Recipe(**told), checkpointing=False)


def looks_of(
    family: play.Family, clip: torch.Tensor, text: str, steps: int = 60, rate: float = 2e-3,
    single_frames: float = 1.0,
) -> tuple[play.Family, TrainingSampler]:  # fmt: skip
    """The family with a LoRA of its checkpoint, and the run: of the clip's frames as single pictures; with
    single_frames below 1 of the clip under the motion module too.
    """
    run = a_run(family, clip, text, steps=steps, learning_rate=rate, single_frames=single_frames)
    under = family.model if single_frames == 1 else play.moving(family)
    _, lora, ran = train_network_lora(under, run, RANK, "spatial and text")
    tuned, _ = comfy.sd.load_lora_for_models(family.model, None, lora, 1.0, 0.0)
    return dataclasses.replace(family, model=tuned), ran


def motion_on(
    looks: play.Family, clip: torch.Tensor, text: str, steps: int = 120
) -> tuple[MotionModule, TrainingSampler]:
    """The module with a MotionLoRA of a clip, trained over a LoRA of its looks, and the run."""
    run = a_run(looks, clip, text, steps=steps, learning_rate=4e-3, debias=1.0)
    module, _, ran = train_motion_lora(looks.model, looks.motion_module, run, RANK, "attention")
    return module, ran


def without_details(clip: torch.Tensor) -> torch.Tensor:
    """A clip as Degrade Frames makes it."""
    return degraded(clip.movedim(1, -1), DegradeSettings(downscale=DOWNSCALE)).movedim(-1, 1)


@torch.inference_mode()
def made_good(
    family: play.Family, clip: torch.Tensor, text: str, denoise: float, seed: int = 3, steps: int = 20
) -> torch.Tensor:
    """What the family makes of a clip from the noise level that `denoise` (0..1) says."""
    latents = family.vae.encode(clip.movedim(1, -1))
    samples = comfy.sample.sample(
        play.moving(family), comfy.sample.prepare_noise(latents, seed), steps, play.GUIDANCE, play.SAMPLER,
        play.SCHEDULER, play.encode(family, [text]), play.encode(family, [""]), latents, denoise=denoise,
        seed=seed, disable_pbar=True,
    )  # fmt: skip
    return play.decoded(family, samples)


def mixed_edit(
    family: play.Family, clip: torch.Tensor, steps: int = 100, single_frames: float = 0.5
) -> tuple[torch.Tensor, torch.Tensor, TrainingSampler]:
    """A clip without its details, the ring of it in red after mixed tuning, and the run."""
    tuned, ran = looks_of(family, clip, ORBIT, steps, 1e-3, single_frames)
    coarse = without_details(clip)
    return coarse, made_good(tuned, coarse, ORBIT_RED, 0.6), ran


def picture() -> torch.Tensor:
    """The picture that the template loads, as it scales it: (1, 128, 128, 3) in 0..1."""
    image = torch.from_numpy(np.array(Image.open(inputs.FOLDER / inputs.PICTURE).convert("RGB")))
    small = F.interpolate(image[None].movedim(-1, 1).float() / 255, (128, 128), mode="area")
    return small.movedim(1, -1)


def picture_made_good(
    family: play.Family, moved: torch.Tensor, steps: int = 60
) -> tuple[torch.Tensor, TrainingSampler]:
    """A camera's clip of the picture, made good by a family that knows the picture, and the run."""
    still = picture().movedim(-1, 1).repeat(4, 1, 1, 1)
    tuned, ran = looks_of(family, still, PICTURE, steps, 1e-3)
    return made_good(tuned, without_details(moved), PICTURE, 0.5), ran


def filled_in(
    family: play.Family, clip: torch.Tensor, steps: int = 150
) -> tuple[torch.Tensor, TrainingSampler]:
    """A clip made from its key frames by new layers of masked frames, trained on it over the motion module,
    and the run.
    """
    known = KnownFrames(family.vae, clip[::4].movedim(1, -1), KEYS)
    new, moving = set_known_frames(new_for_model(family.model, "Masked frames"), known), play.moving(family)
    run = a_run(family, clip, ORBIT, steps=steps, learning_rate=2e-3)
    trained, ran = train_temporal_layers(moving, new, run)
    model = apply_motion_module(moving, trained, MotionSettings())
    return play.clip_of(family, model, ORBIT, 3, num_frames=len(clip)), ran
