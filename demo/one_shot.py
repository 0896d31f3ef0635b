"""New temporal layers tuned on one clip, and the clip made anew by them with another prompt, as the workflow
*Demo, one-shot tuning* does it.

Letters: F frames, H height, W width; clips are (F, 3, H, W) in 0..1.
"""

from __future__ import annotations

import comfy.samplers
import torch

from ..host.injection import MotionSettings, apply_motion_module
from ..host.injection.motion_models import MotionModule, new_for_model
from ..host.sampling.invert_video import invert_video
from ..host.tuning.clips import add_clip
from ..host.tuning.run import TrainingRun, TrainingSampler
from ..host.tuning.temporal_training import train_temporal_layers
from ..samplers.inversion import InversionSettings
from ..tuning.recipe import Recipe
from . import play

METHOD, STEPS, RATE = "SimDA", 150, 1e-3
LEVELS = 20
"""Steps of the inversion and of the sampling back."""


def tuned(
    family: play.Family,
    clip: torch.Tensor,
    text: str,
    method: str = METHOD,
    steps: int = STEPS,
    seed: int = 0,
) -> tuple[MotionModule, TrainingSampler]:
    """New layers of a method on the family's checkpoint after a training on one clip, and the run."""
    latents = {"samples": family.vae.encode(clip.movedim(1, -1))}
    recipe = Recipe(steps=steps, learning_rate=RATE, text_dropout=0.0, seed=seed, loss="velocity")
    clips = add_clip(None, latents, play.encode(family, [text]))
    run = TrainingRun(clips, play.encode(family, [""]), recipe, checkpointing=False)
    return train_temporal_layers(family.model, new_for_model(family.model, method), run)


@torch.inference_mode()
def made_anew(family: play.Family, module: MotionModule, clip: torch.Tensor, text: str) -> torch.Tensor:
    """What a module makes of a clip's own noise (DDIM inversion) with another prompt: (F, 3, H, W)."""
    model = apply_motion_module(family.model, module, MotionSettings())
    latents = {"samples": family.vae.encode(clip.movedim(1, -1))}
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "karras", LEVELS)
    empty = play.encode(family, [""])
    inverted, _, back, _ = invert_video(model, empty, latents, sigmas, InversionSettings(mode="diffusers"))
    made = comfy.samplers.sample(
        model, torch.zeros_like(latents["samples"]), play.encode(family, [text]), empty, play.GUIDANCE,
        model.load_device, comfy.samplers.sampler_object("ddim"), back, latent_image=inverted["samples"],
        disable_pbar=True, seed=0,
    )  # fmt: skip
    return play.decoded(family, made)
