"""Reuse Deep Features: how much faster, and how far from the whole run.

Speed is measured at full size (SD1.5, a v3 module, 16 frames, seeded weights) in seconds of the processors;
runs take turns. What is lost is seen on the tiny family: PSNR of the frames against those of the whole run,
and what its judge says of both.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

FRAMES = 16
SETTINGS = ((2, 1), (2, 3), (3, 1), (3, 3))
"""Interval and depth; the first is the node's own."""

Setting = tuple[int, int]


def main(arguments: list[str]) -> dict:
    """Prints a table, or with --json one object as the last line; returns that object.

    reuse_speedup and reuse_psnr are of the first setting; `settings` has all figures of all.
    """
    parser = argparse.ArgumentParser(prog="bench reuse", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--size", type=int, default=128, help="picture width and height in pixels (128)")
    parser.add_argument(
        "--steps", type=int, default=6, help="steps of a run at full size (6); 0 leaves it out"
    )
    parser.add_argument("--videos", type=int, default=22, help="videos of the tiny family (22)")
    parser.add_argument(
        "--settings", nargs="+", type=setting, default=list(SETTINGS), metavar="INTERVALxDEPTH"
    )
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        result = reuse_figures(Path(folder), options.settings, options.size, options.steps, options.videos)
    if options.json:
        print(json.dumps(result))
    else:
        for name, figures in result["settings"].items():
            print(f"{name:8}", *(f"{key} {value}" for key, value in figures.items()), sep="  ")
    return result


def setting(text: str) -> Setting:
    """2x1 -> interval 2, depth 1. Raises ValueError for others, which argparse tells."""
    interval, depth = map(int, text.split("x"))
    return interval, depth


def reuse_figures(
    folder: Path,
    settings: Sequence[Setting] = SETTINGS[:1],
    size: int = 128,
    steps: int = 6,
    videos: int = 22,
) -> dict:
    """All figures; files of full size lie in folder. steps or videos 0 leaves a part out."""
    speed = speedups(folder, settings, size, steps) if steps else {}
    seen = judged(settings, videos) if videos else {}
    names = {s: f"{s[0]}x{s[1]}" for s in settings}
    found = {name: {**speed.get(s, {}), **seen.get(s, {})} for s, name in names.items()}
    if None in seen:
        found["whole"] = seen[None]
    first = found[names[settings[0]]]
    return {"reuse_speedup": first.get("speedup"), "reuse_psnr": first.get("psnr"), "settings": found}


def speedups(folder: Path, settings: Sequence[Setting], size: int, steps: int) -> dict[Setting, dict]:
    """Seconds of the whole run / seconds of the other, and a short step as a part of a whole one."""
    from ..demo import play
    from ..host.injection import MotionSettings, apply_motion_module
    from .full_size import load_full_size

    moving = apply_motion_module(*load_full_size(folder, "v3"), MotionSettings())
    step_seconds(moving, size, 1)  # loads and warms up
    found = {}
    for interval, depth in settings:
        reusing = play.reusing(moving, interval, depth)
        whole, mixed = step_seconds(moving, size, steps), step_seconds(reusing, size, steps)
        short = [seconds for step, seconds in enumerate(mixed) if step % interval]
        part = round(statistics.median(short) / statistics.median(whole), 3) if short else None
        found[interval, depth] = {"speedup": round(sum(whole) / sum(mixed), 3), "short_step": part}
    return found


def step_seconds(model, size: int, steps: int) -> list[float]:
    """Processor seconds of every step of core's sampler; loading is not part of it."""
    import comfy.sample
    import torch

    latent = torch.zeros(FRAMES, 4, size // 8, size // 8)
    noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(0))
    width = model.model.model_config.unet_config["context_dim"]
    cond = torch.randn(1, 77, width, generator=torch.Generator().manual_seed(1))
    times: list[float] = []

    def note_start(apply, arguments):
        if not times:
            times.append(time.process_time())
        return apply(arguments["input"], arguments["timestep"], **arguments["c"])

    timed = model.clone()
    timed.set_model_unet_function_wrapper(note_start)
    comfy.sample.sample(
        timed, noise, steps, 7.0, "euler", "normal", [[cond, {}]], [[-cond, {}]], latent, disable_pbar=True,
        seed=0, callback=lambda *told: times.append(time.process_time()),
    )  # fmt: skip
    return [end - start for start, end in zip(times, times[1:], strict=False)]


def judged(settings: Sequence[Setting], videos: int) -> dict[Setting | None, dict]:
    """Means over clips of the tiny family by setting, those of the whole runs under None."""
    from ..demo import play, world
    from .demo import measure_clip

    family = play.load_family()
    moving = play.moving(family)
    models = {s: play.reusing(moving, *s) for s in settings}
    rng = random.Random("videos")
    seen: dict[Setting | None, list[dict]] = {None: [], **{s: [] for s in settings}}
    for index in range(videos):
        scene = world.random_scene(rng, motion=world.MOTIONS[index % len(world.MOTIONS)])
        text = world.caption(scene, rng, name_motion=1.0)
        whole = play.clip_of(family, moving, text, seed=2000 + index)
        seen[None].append(measure_clip(whole, scene))
        for s, model in models.items():
            frames = play.clip_of(family, model, text, seed=2000 + index)
            seen[s].append({"psnr": psnr(frames, whole), **measure_clip(frames, scene)})
    return {s: _means(clips) for s, clips in seen.items()}


def psnr(frames, whole) -> float | None:
    """Peak signal-to-noise ratio in dB of pictures in 0..1; None where they are equal."""
    error = float((frames - whole).square().mean())
    return -10 * math.log10(error) if error else None


def _means(clips: list[dict]) -> dict[str, float | None]:
    """The mean of each measure, rounded; None of nothing."""
    values = {key: [clip[key] for clip in clips if clip[key] is not None] for key in clips[0]}
    return {key: round(statistics.mean(seen), 4) if seen else None for key, seen in values.items()}
