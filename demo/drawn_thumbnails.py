"""Thumbnails of the workflows whose models the demo has not:
drawn by the demo's world, to show what goes in and what comes out.

Letters: F frames; clips are (F, 3, H, W) in 0..1, one of them is 32 frames or a still picture of one.
"""

from __future__ import annotations

import dataclasses
import random

import torch
import torch.nn.functional as F

from ..host.injection.camera_poses import picture_of
from . import world
from .moving_camera import curve, seen_by

NUM_FRAMES = 32
PACE = 0.5  # frames of the world from one frame to the next


def drawn(seed: int, motion: str, **things: str) -> torch.Tensor:
    """A clip of a scene of the world; things: its looks, and its camera."""
    scene = world.random_scene(random.Random(seed), motion=motion, **things)
    return torch.cat([world.render_clip(scene, 1, first_frame=PACE * frame) for frame in range(NUM_FRAMES)])


def held(clip: torch.Tensor, count: int) -> torch.Tensor:
    """The clip with so many different frames, each held until the next."""
    return clip[torch.arange(NUM_FRAMES) * count // NUM_FRAMES * NUM_FRAMES // count]


def coarse(clip: torch.Tensor, side: int) -> torch.Tensor:
    """The clip as if it had so many pixels a side."""
    small = F.interpolate(clip, (side, side), mode="area")
    return F.interpolate(small, clip.shape[-2:], mode="nearest")


def moving(label: str, seed: int, motion: str, image: str = "", **things: str):
    """What moves, beside the image that it begins with where that has a label."""
    clip = drawn(seed, motion, **things)
    return ([clip[:1], clip], [image, label], 2) if image else ([clip], [label], 1)


def between_images():
    clip = drawn(7, "right", shape="ball", colour="orange", background="desert", size="big")
    return [clip[:1], clip[-1:], clip], ["first picture", "last picture", "16 frames between"], 2


def zeroscope():
    clip = held(drawn(3, "bounce", shape="ball", colour="pink", background="meadow", size="big"), 16)
    return [coarse(clip, 36), clip], ["576 x 320", "1024 x 576"], 2


def lavie():
    clip = drawn(9, "orbit", shape="square", colour="yellow", background="blue", size="big")
    stages = [coarse(held(clip, 8), 32), coarse(clip, 32), clip]
    return stages, ["16 frames", "61 frames", "four times as large"], 2


def show1():
    clip = drawn(4, "orbit", shape="ring", colour="red", background="desert", size="big")
    stages = [coarse(held(clip, 8), 16), coarse(clip, 16), coarse(clip, 42), clip]
    return stages, ["8 frames, 64 x 40", "29 frames", "256 x 160", "576 x 320"], 2


def camera_poses():
    """What a camera sees that goes to the right and then comes closer, beside the drawing of its way."""
    things = {"shape": "triangle", "colour": "purple", "background": "desert", "size": "small"}
    scene = world.random_scene(random.Random(6), motion="still", **things)
    way = curve("pan right", NUM_FRAMES, 1.0, "zoom in", 0.7)
    seen = seen_by(world.poses(scene, NUM_FRAMES), way)
    still = world.Poses(*(torch.zeros_like(getattr(seen, f.name)) for f in dataclasses.fields(seen)))
    clip = world.render([scene] * NUM_FRAMES, seen, still)
    return [clip, picture_of(way).movedim(-1, 1)], ["16 frames", "its camera poses"], 2


def sparse_pictures():
    clip = drawn(11, "orbit", shape="ring", colour="orange", background="meadow", size="big")
    return [clip[:1], clip[-1:], clip], ["first picture", "last picture", "16 frames"], 2


def windows_on_workers():
    """Two workers, each dark while the other one has the window, and the video that comes of it."""
    clip = drawn(5, "bounce", shape="ball", colour="red", background="meadow", size="big")
    first = (torch.arange(NUM_FRAMES) // (NUM_FRAMES // 4) % 2 == 0).view(-1, 1, 1, 1)
    return [clip * first, clip * ~first, clip], ["worker 1", "worker 2", "one video"], 2


def seeds_on_workers():
    things = {"shape": "square", "colour": "blue", "background": "meadow", "size": "small"}
    return [drawn(seed, "orbit", **things) for seed in range(1, 5)], [f"seed {n}" for n in range(1, 5)], 2


def learnt_motion():
    """Another thing that goes the way of a video's."""
    looks = (("ring", "purple", "black"), ("ball", "yellow", "green"))
    clips = [
        drawn(5, "orbit", shape=shape, colour=colour, background=background, size="big")[::2]
        for shape, colour, background in looks
    ]
    return clips, ["your video", "another thing"], 2


def learnt_camera():
    """Another picture that is seen as a video's camera sees."""
    looks = (("square", "white", "pink"), ("triangle", "blue", "gray"))
    clips = [
        drawn(
            seed, "still", shape=shape, colour=colour, background=background, size="big", camera="pan right"
        )[::2]
        for seed, (shape, colour, background) in enumerate(looks, 3)
    ]
    return clips, ["your video", "another picture"], 2


def frames_between():
    clip = drawn(7, "right", shape="ball", colour="orange", background="blue", size="big")[::2]
    return [clip[:1], clip[-1:], clip], ["first picture", "last picture", "between"], 3


def steady_decoder():
    """Frames whose light differs by chance, and the same without that."""
    clip = drawn(12, "right", shape="ring", colour="red", background="gray", size="big")[::2]
    light = torch.randn(len(clip), 3, 1, 1, generator=torch.Generator().manual_seed(1))
    return [(clip * (1 + 0.15 * light)).clamp(0, 1), clip], ["plain VAE", "trained decoder"], 2


DRAWINGS = {
    "41 Demo, windows on workers": windows_on_workers,
    "42 Demo, seeds on workers": seeds_on_workers,
    "09 Text to video (ModelScope)": lambda: moving(
        "a square bounces in the meadow",
        6,
        "bounce",
        shape="square",
        colour="yellow",
        background="meadow",
        size="big",
    ),
    "10 Text to video (ZeroScope XL)": zeroscope,
    "11 Text to video (VideoCrafter2)": lambda: moving(
        "a ring drifts over the desert",
        8,
        "right",
        shape="ring",
        colour="purple",
        background="desert",
        size="big",
    ),
    "12 Image to video (VideoCrafter1)": lambda: moving(
        "16 frames like it", 12, "grow", "picture", shape="triangle", colour="blue", background="pink"
    ),
    "13 Image to video (DynamiCrafter)": lambda: moving(
        "16 frames from it",
        13,
        "right",
        "picture",
        shape="ball",
        colour="red",
        background="meadow",
        size="big",
    ),
    "14 Between images (DynamiCrafter)": between_images,
    "15 Image to video (SVD)": lambda: moving(
        "14 frames from it",
        15,
        "bounce",
        "picture",
        shape="ring",
        colour="orange",
        background="blue",
        size="big",
    ),
    "16 Orbit of an image (SV3D)": lambda: moving(
        "21 views of it",
        16,
        "spin",
        "picture",
        shape="square",
        colour="green",
        background="white",
        size="big",
    ),
    "17 Text to large video (LaVie)": lavie,
    "18 Text to video (Show-1)": show1,
    "24 From pictures (AnimateDiff, SparseCtrl)": sparse_pictures,
    "27 Camera poses (AnimateDiff, CameraCtrl)": camera_poses,
    "28 Text to video (AnimateLCM)": lambda: moving(
        "16 frames in 6 steps", 10, "orbit", shape="triangle", colour="orange", background="blue", size="big"
    ),
    "47 Train a LoRA (ModelScope)": learnt_motion,
    "48 Train a camera move (SVD)": learnt_camera,
    "49 Train frames between (SVD)": frames_between,
    "50 Train a steady decoder": steady_decoder,
}
"""Name of a workflow -> its clips, their labels, and the number of columns."""
