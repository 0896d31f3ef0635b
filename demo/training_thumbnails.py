"""Pictures of the templates that train on the tiny family, as their workflows do it; there and back."""

from __future__ import annotations

import torch

from ..frame_tools.coarse_video import MoveSettings, coarse_video
from . import inputs, play, trained_motion, tuned_parts, world

THERE_AND_BACK = [*range(8), *range(6, 0, -1)]

Panels = tuple[list[torch.Tensor], list[str], int]
"""Clips (F, 3, H, W) in 0..1, their labels, and the number of columns."""


def _of(clips: list[torch.Tensor], labels: list[str]) -> Panels:
    return [clip[THERE_AND_BACK] for clip in clips], labels, 3


def looks_and_motion(family: play.Family) -> Panels:
    """The video that the workflow loads, another thing that goes its way, and its looks in another motion."""
    video = trained_motion.video_to_learn_from()
    looks, _ = tuned_parts.looks_of(family, video, tuned_parts.SHOWN)
    module, _ = tuned_parts.motion_on(looks, video, tuned_parts.SHOWN)
    way = trained_motion.moved_by(family, module, "a small blue ball on a green background", 54)
    bouncing = play.clip_of(looks, play.moving(looks), "a big ring bounces in the meadow", 2, num_frames=8)
    return _of([video, way, bouncing], ["your video", "its way", "its looks"])


def mixed_tuning(family: play.Family) -> Panels:
    """The video that the workflow loads, without its details, and made good in another colour."""
    video = trained_motion.video_to_learn_from()
    coarse, edit, _ = tuned_parts.mixed_edit(family, video)
    return _of([video, coarse, edit], ["your video", "without details", "edited"])


def animated_picture(family: play.Family) -> Panels:
    """A camera that goes along the picture that the workflow loads, coarse, and made good."""
    moved = coarse_video(tuned_parts.picture(), MoveSettings(num_frames=8, pan_x=tuned_parts.PAN))[0]
    moved = moved.movedim(-1, 1)
    made, _ = tuned_parts.picture_made_good(family, moved)
    return _of([moved, tuned_parts.without_details(moved), made], ["moved", "coarse", "made good"])


def key_frames(family: play.Family) -> Panels:
    """The video that the workflow loads, its key frames, and what fills them in."""
    video = world.render_clip(inputs.scene_of_video(), 8)
    filled, _ = tuned_parts.filled_in(family, video)
    held = video[[number - number % 4 for number in range(8)]]
    return _of([video, held, filled], ["your video", "its key frames", "filled in"])
