"""Moving pictures of the workflows about long videos and stories; thumbnails.py puts them into frames.

Letters: F frames; clips are (F, 3, H, W) in 0..1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import comfy.sample
import torch
import torch.nn.functional as F

from ..host.injection import MotionSettings, apply_motion_module
from ..host.injection.motion_loras import add_motion_lora_from_file
from ..host.injection.motion_models import motion_module_from_file
from ..host.sampling.extend_video import ExtendingSampler
from ..host.sampling.fifo import FifoSampler
from ..host.stories.cameras import storyboard_values
from ..host.stories.joining import join_scenes
from ..host.stories.storyboard import tell
from ..host.windows import ContextSettings, apply_context_windows
from ..samplers.fifo import FifoSettings
from ..samplers.going_on import GoingOnSettings
from ..samplers.over_frames.prompts import PromptSettings
from . import play
from .files import path_of

if TYPE_CHECKING:
    from .thumbnails import Panels


def queue_and_windows(family: play.Family) -> Panels:
    """One prompt and one seed out of a queue and in windows."""
    text, seed, frames, model = "a red ball bounces in the meadow", 2, 24, play.moving(family)
    queue = play.latents_by(family, model, text, seed, frames, FifoSampler(FifoSettings()), 16)
    in_windows = play.clip_of(family, play.in_windows(model, context_overlap=4), text, seed, frames)
    return [play.decoded(family, queue), in_windows], ["FIFO Sampler", "Context Windows"], 2


def extended_clip(family: play.Family) -> Panels:
    """A clip of 16 frames and the 16 that come behind it."""
    text, seed, model = "an orange ball bounces on a blue background", 8000, play.moving(family)
    sampler = play.sampler()
    clip = play.latents_by(family, model, text, seed, 16, sampler)
    extending = ExtendingSampler(sampler, clip, GoingOnSettings())
    new = play.latents_by(family, model, text, seed + 1, 16, extending)
    return [play.decoded(family, torch.cat((clip, new)))], ["16 frames, and 16 that go on"], 1


@torch.inference_mode()
def filled_region(family: play.Family) -> Panels:
    """A clip, where its thing is in every frame, and another thing in its place."""
    model, seed = play.moving(family), 2
    texts = [f"a big {thing} drifts right on a black background" for thing in ("red ball", "blue square")]
    sampler = play.sampler()
    latents = play.latents_by(family, model, texts[0], seed, 16, sampler)
    clip = play.decoded(family, latents)
    mask = F.max_pool2d((clip[:, :1] > 0.3).float(), 21, 1, 10)
    filled = comfy.sample.sample(
        model,
        comfy.sample.prepare_noise(latents, seed + 1),
        play.STEPS,
        play.GUIDANCE,
        play.SAMPLER,
        play.SCHEDULER,
        play.encode(family, [texts[1]]),
        play.encode(family, [""]),
        latents,
        noise_mask=mask,
        seed=seed + 1,
        disable_pbar=True,
    )
    return [clip, mask.expand_as(clip), play.decoded(family, filled)], ["clip", "mask", "filled"], 2


def loop(family: play.Family) -> Panels:
    """24 frames, the last of which goes on with the first, twice."""
    looped = {"context_schedule": "looped_uniform", "closed_loop": True}
    model = play.in_windows(play.moving(family), **looped)
    clip = play.clip_of(family, model, "a big orange ball bounces on a blue background", 2, 24)
    return [torch.cat((clip, clip))], ["24 frames, played twice"], 1


SCRIPT = """scenes:
- prompt: a red ball stands still in the meadow
  duration: 12 frames
  camera: zoom in
  transition: cut
- prompt: a blue square bounces on a pink background
  duration: 8 frames
  transition: fade 4 frames
- prompt: a purple triangle stands still in the desert
  duration: 12 frames
  camera: pan right
"""


@torch.inference_mode()
def story(family: play.Family) -> Panels:
    """Three scenes, each with a camera of its own, a cut and a fade."""
    board = tell(SCRIPT, 8).storyboard
    module, model = motion_module_from_file(path_of("motion_v2")), family.model
    for move, lora in (("hold", None), ("zoom in", "zoom"), ("pan right", "pan")):
        moved = module if lora is None else add_motion_lora_from_file(module, path_of(lora), 1.0)
        strength = storyboard_values(board, move, 1.0)
        model = apply_motion_module(model, moved, MotionSettings(strength=strength))
    windows = ContextSettings(16, 4, windows_per_batch=1, pieces=tuple(board.pieces()))
    settings = PromptSettings(board.prompts(), num_frames=board.num_frames)
    clip = play.prompts_clip(family, apply_context_windows(model, windows), settings, 2)
    return [join_scenes(clip.movedim(1, -1), board).movedim(-1, 1)], ["three scenes, a cut and a fade"], 1
