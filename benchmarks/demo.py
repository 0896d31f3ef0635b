"""What the tiny trained family shows of its prompts: colours, shapes, backgrounds, motion, long videos,
cameras, control, a second base.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import time

from .camera_curves import measure_curves

KEYS = (
    "colour",
    "shape",
    "background",
    "coherent",
    "coherent_without",
    "motion",
    "seam",
    "identity_64",
    "lora",
    "curves",
    "controlnet",
    "second_base",
    "seconds",
)
LONG = 64  # frames of the videos sampled in windows
PAN_AT_LEAST, ZOOM_AT_LEAST = 10.0, 1.15  # pixels in 16 frames; last radius divided by the first
FOLLOWED_OVERLAP = 0.7  # intersection over union of what is seen with what the ControlNet was told


def main(arguments: list[str]) -> dict:
    """Prints a table for people,
    or with --json one object with KEYS and more as the last line; returns that object.
    """
    parser = argparse.ArgumentParser(prog="bench demo", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--prompts", type=int, default=200, help="single pictures (200)")
    parser.add_argument("--videos", type=int, default=44, help="videos of 16 frames with the module (44)")
    parser.add_argument(
        "--without", type=int, default=11, help="videos of the same prompts without the module (11)"
    )
    parser.add_argument("--long", type=int, default=4, help=f"videos of {LONG} frames in windows (4)")
    parser.add_argument(
        "--extras",
        type=int,
        default=6,
        help="videos with each MotionLoRA, camera curve, with the ControlNet and on the second base (6)",
    )
    options = parser.parse_args(arguments)
    result = run(options.prompts, options.videos, options.without, options.long, options.extras)
    if options.json:
        print(json.dumps(result))
    else:
        for key, value in result.items():
            print(f"  {key:24} {value}")
    return result


def run(prompts: int = 200, videos: int = 44, without: int = 11, long: int = 4, extras: int = 6) -> dict:
    """All measures. Shares are 0..1; seam is a ratio, 1 = none;
    seconds are for one video of 16 frames with decoding.

    A measure without samples is None.
    """
    from ..demo import play
    from ..demo.files import path_of

    family = play.load_family()
    result = measure_images(family, prompts) if prompts else {}
    result |= measure_videos(family, videos, without) if videos else {}
    result |= measure_long(family, long) if long else {}
    cameras = ("motion_v2", "pan", "zoom")
    for measure, needed in (
        (measure_control, ("control",)),
        (measure_second_base, ("dusk",)),
        (measure_cameras, cameras),
        (measure_curves, ("motion_v2", "camera")),
    ):
        if extras and all(
            os.path.exists(path_of(which)) for which in needed
        ):  # a family in training may lack some
            result |= measure(family, extras)
    return {key: result.get(key) for key in KEYS} | result


def mean(values: list) -> float | None:
    """The mean, rounded; None of nothing."""
    return round(sum(values) / len(values), 4) if values else None


def measure_images(family, count: int) -> dict:
    """Shares of pictures that show the colour, shape and background of their prompt."""
    from ..demo import judge, play, world

    rng = random.Random("pictures")
    open_motions = [motion for motion in world.MOTIONS if motion != "blink"]  # which is never left open
    scenes = [world.random_scene(rng, motion=rng.choice(open_motions)) for _ in range(count)]
    texts = [world.caption(scene, rng, name_motion=0.0) for scene in scenes]
    readings = judge.read_frames(play.images(family, texts, seed=1000))
    pairs = list(zip(scenes, readings, strict=True))
    shares = {
        kind: mean([getattr(s, kind) == getattr(r, kind) for s, r in pairs])
        for kind in ("colour", "shape", "background")
    }
    return shares | {
        f"shape_{shape}": mean([r.shape == shape for s, r in pairs if s.shape == shape])
        for shape in world.SHAPES
    }


def measure_videos(family, count: int, without: int) -> dict:
    """Coherence and named motion of videos with the module,
    and of the same prompts and seeds without, on the same schedule.

    `fell_short` lists each video that was not coherent or
    did not move as named, by its number, counted from 0.
    """
    from ..demo import play, world

    rng = random.Random("videos")
    seen: dict[str, list[float]] = {}
    seconds, fell_short = [], []
    for index in range(count):
        scene = world.random_scene(rng, motion=world.MOTIONS[index % len(world.MOTIONS)])
        text = world.caption(scene, rng, name_motion=1.0)
        started = time.perf_counter()
        frames = play.clip_of(family, play.moving(family), text, seed=2000 + index)
        seconds.append(time.perf_counter() - started)
        measures = measure_clip(frames, scene)
        if missed := [what for what in ("coherent", "motion") if not measures[what]]:
            fell_short.append(f"{index} {text}: not {' nor '.join(missed)}")
        measures[f"motion_{scene.motion}"] = measures["motion"]
        if index < without:
            plain = measure_clip(
                play.clip_of(family, play.not_moving(family), text, seed=2000 + index), scene
            )
            measures |= {f"{key}_without": value for key, value in plain.items()}
        for key, value in measures.items():
            seen.setdefault(key, []).append(value)
    means = {key: mean(values) for key, values in seen.items()}
    return means | {"seconds": round(sorted(seconds)[len(seconds) // 2], 2), "fell_short": fell_short}


def measure_clip(frames, scene) -> dict[str, float]:
    """What one video shows of its scene:
    shares of frames, 1 or 0 for yes or no, pixels a frame for the path.
    """
    from ..demo import judge

    readings = judge.read_frames(frames)
    motion = judge.read_motion(frames, readings)
    shown = readings if scene.motion != "blink" else [r for r in readings if r.colour != "none"]
    right = {
        k: mean([getattr(r, k) == getattr(scene, k) for r in shown]) or 0.0
        for k in ("colour", "shape", "background")
    }
    return {
        "coherent": float(judge.coherent(readings, motion)),
        "motion": float(motion.name == scene.motion),
        "step": motion.step,
        "jerk": motion.jerk,
        "change": motion.change,
        **{f"video_{k}": v for k, v in right.items()},
    }


def measure_long(family, count: int) -> dict:
    """Videos of LONG frames in overlapping windows:
    whether the thing stays itself, and the change where windows meet.
    """
    from ..demo import judge, play, world

    rng = random.Random("long")
    same, seams, jerks = [], [], []
    for index in range(count):
        scene = world.random_scene(rng, motion=("bounce", "orbit", "right", "still")[index % 4])
        text = world.caption(scene, rng, name_motion=1.0)
        frames = play.clip_of(
            family, play.in_windows(play.moving(family)), text, seed=3000 + index, num_frames=LONG
        )
        readings = judge.read_frames(frames)
        same += [r.colour == scene.colour and r.shape == scene.shape for r in readings]
        jerks.append(judge.read_motion(frames, readings).jerk)
        seams.append(seam(frames))
    return {"identity_64": mean(same), "seam": mean(seams), "jerk_64": mean(jerks)}


def seam(frames) -> float:
    """Mean frame change where a window begins or ends, divided by that everywhere else."""
    from ..samplers.context_schedules import create_context_windows

    change = frames.diff(dim=0).abs().mean((1, 2, 3))
    windows = create_context_windows("standard_static", len(frames), 16, 8, 1, False, 0)
    at_seam = sorted({edge for w in windows for edge in (w[0] - 1, w[-1]) if 0 <= edge < len(frames) - 1})
    elsewhere = [i for i in range(len(frames) - 1) if i not in at_seam]
    return float(change[at_seam].mean() / change[elsewhere].mean())


def measure_cameras(family, count: int) -> dict:
    """Shares of videos of things that stand still in
    which the MotionLoRA makes the camera do what it says.
    """
    from ..demo import judge, play

    found: dict[str, list[float]] = {
        "pan": [],
        "zoom": [],
        "shift": [],
        "growth": [],
        "shift_without": [],
        "growth_without": [],
    }
    rng = random.Random("cameras")
    for index in range(count):
        scene, text = still_scene(rng)
        for move in ("pan", "zoom", None):
            model = play.with_camera(family, move) if move else play.moving_v2(family)
            frames = play.clip_of(family, model, text, seed=4000 + index)
            readings = judge.read_frames(frames)
            motion, shift = judge.read_motion(frames, readings), readings[0].x - readings[-1].x
            if move == "pan":  # the camera goes right, so what is seen goes left
                found["pan"].append(float(shift >= PAN_AT_LEAST and judge.coherent(readings, motion)))
                found["shift"].append(shift)
            elif move == "zoom":
                found["zoom"].append(
                    float(motion.growth >= ZOOM_AT_LEAST and judge.coherent(readings, motion))
                )
                found["growth"].append(motion.growth)
            else:
                found["shift_without"].append(shift)
                found["growth_without"].append(motion.growth)
    return {"lora": mean(found["pan"] + found["zoom"])} | {
        f"lora_{key}": mean(values) for key, values in found.items()
    }


def still_scene(rng: random.Random):
    """A scene that stands still, and a caption that says so."""
    from ..demo import world

    scene = world.random_scene(rng, motion="still")
    return scene, world.caption(scene, rng, name_motion=1.0)


def measure_control(family, count: int) -> dict:
    """Shares of pictures (ten times count) and
    of a video's frames whose thing lies where and as the ControlNet was told.
    """
    from ..demo import judge, play, world

    rng = random.Random("control")
    scenes = [world.random_scene(rng, motion="still") for _ in range(10 * count)]
    texts = [world.caption(scene, rng, name_motion=0.0) for scene in scenes]
    hints = world.hints(scenes, 1, [0.0] * len(scenes))[:, 0]
    images = []
    for first in range(0, len(scenes), 20):
        part = slice(first, first + 20)
        images.append(play.sample(family, family.model, texts[part], seed=5000 + first, hints=hints[part]))
    followed = [
        overlap(f, h)
        for batch, told in zip(images, hints.split(20), strict=True)
        for f, h in zip(batch, told, strict=True)
    ]
    scene = world.random_scene(rng, motion="orbit")
    told = world.hints([scene], 16, [0.0])[0]
    frames = play.clip_of(
        family, play.moving(family), world.caption(scene, rng, name_motion=1.0), seed=5500, hints=told
    )
    moved = [overlap(f, h) for f, h in zip(frames, told, strict=True)]
    readings = judge.read_frames(frames)
    return {
        "controlnet": mean([o >= FOLLOWED_OVERLAP for o in followed]), "controlnet_overlap": mean(followed),
        "controlnet_video": mean([o >= FOLLOWED_OVERLAP for o in moved]),
        "controlnet_video_coherent": float(judge.coherent(readings, judge.read_motion(frames, readings))),
    }  # fmt: skip


def overlap(frame, hint) -> float:
    """Intersection over union of the thing seen in a frame (3, H, W) with what was told."""
    from ..demo import judge

    mask = judge.thing_masks(frame[None])[0]
    told = hint[0]
    both, either = mask.minimum(told).sum(), mask.maximum(told).sum()
    return float(both / either.clamp(min=1))


def measure_second_base(family, count: int) -> dict:
    """Coherent videos on the second base with the module that never saw it,
    and whether they look like that base.
    """
    from ..demo import judge, play, world
    from ..demo.dusk import by_day

    dusk = play.at_dusk(family)
    rng = random.Random("dusk")
    coherent, without, looks = [], [], []
    for index in range(count):
        scene = world.random_scene(rng, motion=world.MOTIONS[index % 7])
        text = world.caption(scene, rng, name_motion=1.0)
        for found, model in ((coherent, play.moving(dusk)), (without, play.not_moving(dusk))):
            frames = play.clip_of(dusk, model, text, seed=6000 + index)
            readings = judge.read_frames(by_day(frames))
            found.append(float(judge.coherent(readings, judge.read_motion(frames, readings))))
            looks += [r.background == scene.background and r.colour == scene.colour for r in readings]
    return {
        "second_base": mean(coherent),
        "second_base_without": mean(without),
        "second_base_look": mean(looks),
    }
