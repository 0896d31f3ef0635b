"""Whether the demo's camera goes where its curve of poses says: part of `bench demo`."""

from __future__ import annotations

import random

MOVES = {
    "pan right": ("pan right", 2.0), "pan left": ("pan left", 2.0), "pan up": ("pan up", 2.0),
    "pan down": ("pan down", 2.0), "zoom in": ("zoom in", 0.9), "zoom out": ("zoom out", 0.9),
    "right, then left": ("pan right", 2.4, "pan left", 2.4),
}  # fmt: skip
HOLD = "hold"
FOLLOWED = (0.5, 1.5)
"""Share of the told way that a camera may go and still be said to follow."""
STEADY = 5.0
"""Pixels that what is seen may move under a camera on hold."""


def measure_curves(family, count: int) -> dict:
    """Shares of videos of things that stand still in which the camera follows its curve.

    `curves`: of all moves; `curve_<move>` of one, and `curve_<move>_share` the mean share of the told way,
    1 = exactly as far. `curve_hold`: of those in which nothing moves, as nothing is told to.
    """
    from ..demo import moving_camera, play
    from .demo import mean, still_scene

    told = {move: moving_camera.curve(first, 16, *rest) for move, (first, *rest) in MOVES.items()}
    told[HOLD] = moving_camera.curve(HOLD, 16, 1.0)
    rng, shares, followed = random.Random("curves"), {}, {}
    for index in range(count):
        _, text = still_scene(rng)
        for move, camera in told.items():
            frames = play.clip_of(family, play.steered(family, camera), text, seed=7000 + index)
            share, follows = follow(frames, camera)
            shares.setdefault(move, []).append(share)
            followed.setdefault(move, []).append(float(follows))
    return (
        {"curves": mean([one for move in MOVES for one in followed[move]])}
        | {f"curve_{move}": mean(values) for move, values in followed.items()}
        | {f"curve_{move}_share": mean(shares[move]) for move in MOVES}
    )


def follow(frames, camera) -> tuple[float, bool]:
    """Share of the way that a camera was told to go which frames (F, 3, H, W) of a still thing show, or on
    hold the pixels that the thing moves; and whether that is to follow.
    """
    import torch

    from ..demo import judge, moving_camera, world

    readings = judge.read_frames(frames)
    coherent = judge.coherent(readings, judge.read_motion(frames, readings))
    seen = torch.tensor([(r.x, r.y, r.radius) for r in readings])
    first = seen[0]
    still = world.Poses(
        first[:2].expand(len(seen), 2), first[2].expand(len(seen)), torch.zeros(len(seen)),
        torch.ones(len(seen)), torch.full((len(seen),), 80.0),
    )  # fmt: skip
    expected = moving_camera.seen_by(still, camera)
    told = torch.cat([expected.centres - still.centres, (expected.radii - still.radii)[:, None]], 1)
    found = seen - first
    if float(told.abs().max()) < 0.5:
        extent = float(found[:, :2].norm(dim=1).max())
        return extent, coherent and extent <= STEADY
    share = float((found * told).sum() / told.square().sum())
    return share, coherent and FOLLOWED[0] <= share <= FOLLOWED[1]
