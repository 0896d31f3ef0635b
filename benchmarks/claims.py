"""Every temporal method trained alike on the tiny family, and judged alike: what each comes to for its size.

All begin as *New Temporal Layers* makes them, see the same clips of the demo's world with the same steps and
chance, and make the same videos. Methods that need more than text (an image, poses) or latents of their own
(dual stream) are left out.
"""

from __future__ import annotations

import argparse
import json
import random
import time

RATE, CLIPS, FRAMES = 2e-3, 24, 8
MOTIONS = ("right", "left", "up", "down", "bounce", "orbit")


def main(arguments: list[str]) -> dict:
    """Prints a table, or with --json one object {method: numbers}; returns that object."""
    parser = argparse.ArgumentParser(prog="bench claims", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--only", nargs="+", default=(), help="some methods instead of all")
    parser.add_argument("--steps", type=int, default=60, help="updates of each method (60)")
    parser.add_argument("--count", type=int, default=6, help="videos of each that are judged (6)")
    options = parser.parse_args(arguments)
    result = run(tuple(options.only), options.steps, options.count)
    if options.json:
        print(json.dumps(result))
    return result


def run(only: tuple[str, ...], steps: int, count: int) -> dict:
    """{method: its numbers}; told line by line."""
    from ..demo import play
    from ..motion_modules.methods import METHODS

    family, found = play.load_family(), {}
    for name, method in METHODS.items():
        if method.needs or method.streams > 1 or (only and name not in only):
            continue
        found[name] = measure(family, name, steps, count)
        numbers = ", ".join(f"{key} {value}" for key, value in found[name].items())
        print(f"  {name:24} {numbers}", flush=True)
    return found


def measure(family, name: str, steps: int, count: int) -> dict:
    """What one method comes to. parameters: millions that are trained. coherent, motion: shares of `count`
    videos; jerk: the path's mean second difference in pixels; before: of the untrained layers.
    cpu_seconds: of all threads, in training.
    """
    from ..demo import play
    from ..host.injection.motion_models import new_for_model
    from ..host.tuning.run import TrainingRun
    from ..host.tuning.temporal_training import train_temporal_layers
    from ..tuning.recipe import Recipe
    from .training import clips_of, costs

    rng, scenes, texts = random.Random("claims"), [], []
    for number in range(CLIPS):
        scene, text = scene_of(rng, number)
        scenes.append(scene)
        texts.append(text)
    new = new_for_model(family.model, name)
    recipe = Recipe(
        steps=steps, learning_rate=RATE, rate_schedule="cosine", text_dropout=0.05, loss="velocity"
    )
    clips = clips_of(family, scenes, texts, FRAMES)
    begun = time.process_time()
    module, ran = train_temporal_layers(
        family.model, new, TrainingRun(clips, play.encode(family, [""]), recipe, checkpointing=False)
    )
    spent = time.process_time() - begun
    trained = (p for n, p in new.patcher.model.named_parameters() if new.method.is_trained(n))
    judged, before = (judge(family, one, count) for one in (module, new))
    return {
        "parameters": round(sum(p.numel() for p in trained) / 1e6, 2), **costs(ran),
        "cpu_seconds": round(spent), **judged,
        "jerk_before": before["jerk"], "coherent_before": before["coherent"],
    }  # fmt: skip


def scene_of(rng: random.Random, number: int):
    """A scene, and its text, whose motion goes through MOTIONS."""
    from ..demo import world

    scene = world.random_scene(rng, motion=MOTIONS[number % len(MOTIONS)])
    return scene, world.caption(scene, rng, name_motion=1.0)


def judge(family, module, count: int) -> dict:
    """Shares of videos that are coherent and move as named, and their mean jerk."""
    from ..demo import play
    from ..host.injection import MotionSettings, apply_motion_module
    from .demo import mean, measure_clip

    rng, seen = random.Random("claims, judged"), {"coherent": [], "motion": [], "jerk": []}
    for number in range(count):
        scene, text = scene_of(rng, number)
        model = apply_motion_module(family.model, module, MotionSettings())
        frames = play.clip_of(family, model, text, seed=11_000 + number, num_frames=FRAMES)
        measures = measure_clip(frames, scene)
        for key, values in seen.items():
            values.append(measures[key])
    return {key: mean(values) for key, values in seen.items()}
