"""Text2Video-Zero on the tiny family: whether things move as the motion field says, and stay what they are.

A place of the tiny family's latents is 8 pixels, and so far the camera moves in each frame.
"""

from __future__ import annotations

import random

import torch

FRAMES = 5
DELTA = 32.0
"""Of the canvas of 512 in each frame: 8 pixels of 128."""
BORDER = 6.0
"""Pixels between a thing and the border in all frames, so that it is seen whole."""


def measure(family, count: int) -> dict:
    """Mean and worst distance in pixels from the path of the field, and shares of coherent clips; the same
    prompts as independent frames for comparison.
    """
    from ..demo import editing, judge, play, world
    from ..samplers.text2video_zero.motion_fields import CameraField

    rng = random.Random("text2video-zero")
    errors, coherent, independent, done = [], [], [], 0
    for seed in range(4 * count):
        if done == count:
            break
        scene = world.random_scene(rng, motion="still")
        text = world.caption(scene, rng, name_motion=0.0)
        way = direction(judge.read_frames(editing.first_frame(family, text, seed))[0])
        if not way:
            continue  # nothing is seen, or no room on either side
        frames = editing.zero_clip(family, text, seed, FRAMES, CameraField(way * DELTA, 0.0))
        readings = judge.read_frames(frames)
        errors += path_errors(readings, way)
        coherent.append(float(judge.coherent(readings, judge.read_motion(frames, readings))))
        apart = play.images(family, [text] * FRAMES, seed=seed)
        readings = judge.read_frames(apart)
        independent.append(float(judge.coherent(readings, judge.read_motion(apart, readings))))
        done += 1
    return {
        "clips": done,
        "path_error": round(sum(errors) / max(1, len(errors)), 2),
        "worst_error": round(max(errors, default=0.0), 2),
        "coherent": round(sum(coherent) / max(1, done), 3),
        "coherent_independent": round(sum(independent) / max(1, done), 3),
    }


def direction(reading) -> int:
    """1 where a thing has room to move to the left, -1 to the right, 0 on neither side."""
    from ..demo import world

    travel, room = pixels(FRAMES - 1), reading.radius + BORDER
    if reading.colour == "none":
        return 0
    if reading.x - travel > room:
        return 1
    return -1 if reading.x + travel < world.SIZE - room else 0


def path_errors(readings: list, way: int) -> list[float]:
    """Distances of the things of frames 1, 2, ... from where the field takes that of frame 0."""
    first = readings[0]
    return [
        float(torch.tensor([r.x - first.x + way * pixels(k), r.y - first.y]).norm())
        for k, r in enumerate(readings[1:], 1)
    ]


def pixels(frames: int) -> float:
    """How far the camera moves in so many frames."""
    from ..demo import world

    return DELTA * frames * world.SIZE / 512
