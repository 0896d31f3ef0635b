"""Moving pictures of the workflows about training; thumbnails.py puts them into frames.

Letters: F frames; clips are (F, 3, H, W) in 0..1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from ..frame_tools.coarse_video import MoveSettings
from ..host.injection import MotionSettings, apply_motion_module
from ..host.injection.motion_models import motion_module_from_file
from ..host.media.frame_tools import make_coarse_video
from ..host.tuning.clips import add_clip
from ..host.tuning.run import TrainingRun
from ..host.tuning.temporal_training import train_motion_lora
from ..tuning.recipe import Recipe
from . import inputs, play, world
from .files import path_of

if TYPE_CHECKING:
    from .thumbnails import Panels


def trained_motion_lora(family: play.Family) -> Panels:
    """The clip that a MotionLoRA is trained on, and the same prompt without and with it, as the workflow."""
    text, seed = "a small yellow square stands still on a blue background", 3
    picture = torch.from_numpy(np.array(Image.open(inputs.FOLDER / inputs.PICTURE))).float()[None] / 255
    small = F.interpolate(picture.movedim(-1, 1), (world.SIZE, world.SIZE), mode="bicubic", antialias=True)
    clip = make_coarse_video(small.movedim(1, -1).clamp(0, 1), MoveSettings(num_frames=12, pan_x=0.3))[0]
    caption = play.encode(family, ["a big red ball stands still in the meadow"])
    clips = add_clip(None, {"samples": family.vae.encode(clip)}, caption)
    recipe = Recipe(steps=60, learning_rate=0.004)
    run = TrainingRun(clips, play.encode(family, [""]), recipe, checkpointing=False)
    module = motion_module_from_file(path_of("motion_v2"))
    trained = train_motion_lora(family.model, module, run, 8, "attention")[0]
    models = [apply_motion_module(family.model, one, MotionSettings()) for one in (module, trained)]
    made = [play.clip_of(family, model, text, seed, num_frames=12) for model in models]
    return [clip.movedim(-1, 1), *made], ["trained on this", "before", "after 60 steps"], 3
