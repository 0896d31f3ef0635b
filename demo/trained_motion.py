"""A MotionLoRA of one clip, as the workflow *Demo, train a MotionLoRA* trains it.

Letters: F frames, H height, W width; clips are (F, 3, H, W) in 0..1.
"""

from __future__ import annotations

import torch

from ..host.injection import MotionSettings, apply_motion_module
from ..host.injection.motion_models import MotionModule
from ..host.tuning.clips import add_clip
from ..host.tuning.run import TrainingRun
from ..host.tuning.temporal_training import train_motion_lora
from ..tuning.recipe import Recipe
from . import inputs, judge, play, world

STEPS, RATE, RANK = 120, 4e-3, 8
EVERY, FRAMES = 4, 8
SHOWS = "a big purple ring in the desert"


def video_to_learn_from() -> torch.Tensor:
    """Every fourth frame of the video that the workflow loads, 8 of them."""
    scene, pace = inputs.scene_of_video(), EVERY * 8 / inputs.FPS
    return torch.cat([world.render_clip(scene, 1, first_frame=pace * number) for number in range(FRAMES)])


def motion_of(family: play.Family, clip: torch.Tensor, text: str, steps: int = STEPS) -> tuple:
    """The family's module with the MotionLoRA of a clip, and the run. text: what the clip shows, without its
    motion.
    """
    latents = {"samples": family.vae.encode(clip.movedim(1, -1))}
    recipe = Recipe(
        steps=steps, learning_rate=RATE, rate_schedule="cosine", text_dropout=0.0, loss="velocity", debias=1.0
    )
    run = TrainingRun(
        add_clip(None, latents, play.encode(family, [text])), play.encode(family, [""]), recipe,
        checkpointing=False,
    )  # fmt: skip
    module, _, ran = train_motion_lora(family.model, family.motion_module, run, RANK, "attention")
    return module, ran


def moved_by(family: play.Family, module: MotionModule, text: str, seed: int) -> torch.Tensor:
    """A clip of 8 frames with a module."""
    model = apply_motion_module(family.model, module, MotionSettings())
    return play.clip_of(family, model, text, seed, num_frames=FRAMES)


def likeness(clip: torch.Tensor, other: torch.Tensor) -> float:
    """How alike the ways of two clips' things are, the cosine of their steps from frame to frame: 1 = the
    same way, 0 = nothing in common, -1 = the other way round.
    """
    ways = []
    for frames in (clip, other):
        readings = judge.read_frames(frames)
        ways.append(torch.tensor([(r.x, r.y) for r in readings]).diff(dim=0).flatten())
    return float(torch.nn.functional.cosine_similarity(*ways, dim=0))
