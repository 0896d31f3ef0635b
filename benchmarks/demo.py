"""What the tiny trained family shows of its prompts: colours, shapes, backgrounds, and motion with and without the module."""

from __future__ import annotations

import argparse
import json
import random
import time

KEYS = ("colour", "shape", "background", "coherent", "coherent_without", "motion", "seam", "seconds")
LONG = 40  # frames of the video sampled in windows


def main(arguments: list[str]) -> dict:
    """Prints a table for people, or with --json one object with KEYS and more as the last line; returns that object."""
    parser = argparse.ArgumentParser(prog="bench demo", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--prompts", type=int, default=200, help="single pictures (200)")
    parser.add_argument("--videos", type=int, default=14, help="videos of 16 frames, with and without the module (14)")
    parser.add_argument("--long", type=int, default=1, help=f"videos of {LONG} frames in windows (1)")
    options = parser.parse_args(arguments)
    result = run(options.prompts, options.videos, options.long)
    if options.json:
        print(json.dumps(result))
    else:
        for key, value in result.items():
            print(f"  {key:24} {value}")
    return result


def run(prompts: int = 200, videos: int = 14, long: int = 1) -> dict:
    """All measures. Shares are 0..1; seam is a ratio, 1 = none; seconds are for one video of 16 frames with decoding.

    A measure without samples is None."""
    from ..demo import play

    family = play.load_family()
    result = measure_pictures(family, prompts) | measure_videos(family, videos)
    result["seam"] = round(sum(measure_seam(family, seed) for seed in range(long)) / long, 3) if long else None
    return {key: result.get(key) for key in KEYS} | result


def measure_pictures(family, count: int) -> dict:
    """Shares of pictures that show the colour, shape and background of their prompt."""
    from ..demo import judge, play, world

    rng = random.Random("pictures")
    scenes = [world.random_scene(rng) for _ in range(count)]
    texts = [world.caption(scene, rng, name_motion=0.0) for scene in scenes]
    readings = judge.read_frames(play.pictures(family, texts, seed=1000)) if count else []
    kinds = ("colour", "shape", "background")
    right = {kind: sum(getattr(s, kind) == getattr(r, kind) for s, r in zip(scenes, readings, strict=True)) for kind in kinds}
    shares = {kind: round(right[kind] / max(count, 1), 4) for kind in kinds}
    for shape in world.SHAPES:
        of_it = [r.shape == shape for s, r in zip(scenes, readings, strict=True) if s.shape == shape]
        if of_it:
            shares[f"shape_{shape}"] = round(sum(of_it) / len(of_it), 3)
    return shares


def measure_videos(family, count: int) -> dict:
    """Coherence and named motion of videos with the module, and of the same prompts and seeds without, on the same schedule."""
    from ..demo import play, world

    rng = random.Random("videos")
    sums: dict[str, float] = {}
    followed: dict[str, list[float]] = {motion: [] for motion in world.MOTIONS}
    seconds = []
    for index in range(count):
        scene = world.random_scene(rng, motion=world.MOTIONS[index % len(world.MOTIONS)])
        text = world.caption(scene, rng, name_motion=1.0)
        started = time.perf_counter()
        frames = play.clip_of(family, play.moving(family), text, seed=2000 + index)
        seconds.append(time.perf_counter() - started)
        measures = measure_clip(frames, scene)
        followed[scene.motion].append(measures["motion"])
        without = measure_clip(play.clip_of(family, play.not_moving(family), text, seed=2000 + index), scene)
        for key, value in (measures | {f"{k}_without": v for k, v in without.items()}).items():
            sums[key] = sums.get(key, 0.0) + value
    result = {key: round(value / count, 4) for key, value in sums.items()}
    result |= {f"motion_{name}": round(sum(seen) / len(seen), 3) for name, seen in followed.items() if seen}
    return result | {"seconds": round(sorted(seconds)[len(seconds) // 2], 2) if seconds else None}


def measure_clip(frames, scene) -> dict[str, float]:
    """What one video shows of its scene: shares of frames, 1 or 0 for yes or no, pixels a frame for the path."""
    from ..demo import judge

    readings = judge.read_frames(frames)
    motion = judge.read_motion(frames, readings)
    right = {k: sum(getattr(r, k) == getattr(scene, k) for r in readings) / len(readings) for k in ("colour", "shape", "background")}
    return {
        "coherent": float(judge.coherent(readings, motion)), "motion": float(motion.name == scene.motion),
        "step": motion.step, "jerk": motion.jerk, "change": motion.change, **{f"video_{k}": v for k, v in right.items()},
    }  # fmt: skip


def measure_seam(family, seed: int) -> float:
    """Mean frame change where a window begins or ends, divided by that everywhere else, for one long video."""
    from ..demo import play
    from ..samplers.context_schedules import create_context_windows

    model = play.in_windows(play.moving(family))
    frames = play.clip_of(family, model, "a red ball bounces on a blue background", seed=3000 + seed, num_frames=LONG)
    change = frames.diff(dim=0).abs().mean((1, 2, 3))
    windows = create_context_windows("standard_static", LONG, 16, 8, 1, False, 0)
    at_seam = sorted({edge for w in windows for edge in (w[0] - 1, w[-1]) if 0 <= edge < LONG - 1})
    elsewhere = [i for i in range(LONG - 1) if i not in at_seam]
    return float(change[at_seam].mean() / change[elsewhere].mean())
