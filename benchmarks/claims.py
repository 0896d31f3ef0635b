"""Every temporal method trained alike on the tiny family, and judged alike: what each comes to for its size;
and two claims of how to train, each against training without it.

All methods begin as *New Temporal Layers* makes them, see the same clips of the demo's world with the same
steps and chance, and make the same videos. Methods that need more than text (an image, poses) or latents of
their own (dual stream) are left out. The claims:

- joint (Ho et al. 2022, VDM; ModelScopeT2V): pictures beside clips keep single pictures good, where layers of
  the image network are trained.
- mixed (Dreamix): a video and its single frames by turns keep looks better than the video alone.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from pathlib import Path

RATE, CLIPS, FRAMES = 2e-3, 24, 8
MOTIONS = ("right", "left", "up", "down", "bounce", "orbit")


def main(arguments: list[str]) -> dict:
    """Prints a table, or with --json one object {method or claim: numbers}; returns that object."""
    parser = argparse.ArgumentParser(prog="bench claims", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--only", nargs="+", default=(), help="some methods and claims instead of all")
    parser.add_argument("--steps", type=int, default=60, help="updates of each run (60)")
    parser.add_argument("--count", type=int, default=6, help="videos or pictures of each that are judged (6)")
    parser.add_argument("--sheet", type=Path, help="an HTML file to write: the numbers beside moving results")
    options = parser.parse_args(arguments)
    shown: dict[str, list] = {}
    result = run(tuple(options.only), options.steps, options.count, shown)
    if options.sheet:
        from .claims_sheet import write_sheet

        write_sheet(options.sheet, result, shown)
    if options.json:
        print(json.dumps(result))
    return result


def run(only: tuple[str, ...], steps: int, count: int, shown: dict[str, list]) -> dict:
    """{method or claim: its numbers}; told line by line. shown: {the same: [(label, clip or pictures)]} is
    filled.
    """
    from ..demo import play
    from ..motion_modules.methods import METHODS

    methods = [name for name, one in METHODS.items() if not one.needs and one.streams == 1]
    if unknown := set(only) - {*methods, *CLAIMS}:
        raise ValueError(f"--only {min(unknown)} must be one of {', '.join((*methods, *CLAIMS))}.")
    family, found = play.load_family(), {}
    for name in (*methods, *CLAIMS):
        if only and name not in only:
            continue
        if name in CLAIMS:
            found[name], shown[name] = CLAIMS[name](family, steps, count)
        else:
            found[name], shown[name] = measure(family, name, steps, count)
        numbers = ", ".join(f"{key} {value}" for key, value in found[name].items())
        print(f"  {name:24} {numbers}", flush=True)
    return found


def measure(family, name: str, steps: int, count: int) -> tuple[dict, list]:
    """What one method comes to, and a clip of it untrained and trained. parameters: millions that are
    trained. coherent, motion: shares of `count` videos; jerk: the path's mean second difference in pixels;
    before: of the untrained layers. cpu_seconds: of all threads, in training.
    """
    from ..demo import play
    from ..host.injection.motion_models import new_for_model
    from ..host.tuning.run import TrainingRun
    from ..host.tuning.temporal_training import train_temporal_layers
    from ..tuning.recipe import Recipe
    from .training import costs

    new = new_for_model(family.model, name)
    recipe = Recipe(
        steps=steps, learning_rate=RATE, rate_schedule="cosine", text_dropout=0.05, loss="velocity"
    )
    begun = time.process_time()
    module, ran = train_temporal_layers(
        family.model, new, TrainingRun(clips_of_world(family), play.encode(family, [""]), recipe,
                                       checkpointing=False)
    )  # fmt: skip
    spent = time.process_time() - begun
    trained = (p for n, p in new.patcher.model.named_parameters() if new.method.is_trained(n))
    (judged, after), (before, untrained) = (judge(family, one, count) for one in (module, new))
    numbers = {
        "parameters": round(sum(p.numel() for p in trained) / 1e6, 2), **costs(ran),
        "cpu_seconds": round(spent), **judged,
        "jerk_before": before["jerk"], "coherent_before": before["coherent"],
    }  # fmt: skip
    return numbers, [("untrained", untrained), (f"{steps} steps", after)]


def clips_of_world(family):
    """The TRAINING_CLIPS that all runs see, but for those of one clip."""
    from .training import clips_of

    rng = random.Random("claims")
    scenes, texts = zip(*(scene_of(rng, number) for number in range(CLIPS)), strict=True)
    return clips_of(family, list(scenes), list(texts), FRAMES)


def joint(family, steps: int, count: int) -> tuple[dict, list]:
    """LoRAs of the checkpoint trained on clips under the motion module, with pictures beside them and
    without; single pictures are then made without the module. right: the share that shows the thing and the
    background of its prompt.
    """
    import dataclasses

    import comfy.sd

    from ..demo import judge as judges
    from ..demo import play
    from ..host.tuning.network_loras import train_network_lora
    from ..host.tuning.run import TrainingRun
    from ..tuning.recipe import Recipe

    rng, found, shown = random.Random("claims, pictures"), {"steps": steps}, []
    scenes = [scene_of(rng, number) for number in range(count)]
    for which, beside in (("with", 4), ("without", 0)):
        recipe = Recipe(
            steps=steps, learning_rate=2 * RATE, text_dropout=0.05, loss="velocity", image_frames=beside
        )
        clips, empty = clips_of_world(family), play.encode(family, [""])
        run = TrainingRun(clips, empty, recipe, checkpointing=False)
        _, lora, _ = train_network_lora(play.moving(family), run, 8, "spatial and text")
        tuned, _ = comfy.sd.load_lora_for_models(family.model, None, lora, 1.0, 0.0)
        pictures = play.images(dataclasses.replace(family, model=tuned), [text for _, text in scenes], seed=7)
        readings = judges.read_frames(pictures)
        right = [
            (r.shape, r.colour, r.background) == (scene.shape, scene.colour, scene.background)
            for r, (scene, _) in zip(readings, scenes, strict=True)
        ]
        found[f"right_{which}"] = round(sum(right) / count, 3)
        shown.append((f"pictures, {which} pictures beside clips", pictures))
    return found | verdict(found["right_with"] > found["right_without"]), shown


def mixed(family, steps: int, count: int) -> tuple[dict, list]:
    """A clip tuned with its single frames by turns, and alone; then made good from a coarse one under its own
    prompt. error: mean absolute difference to the clip, 0..1. likeness: of the ways of both things.
    """
    from ..demo import trained_motion, tuned_parts, world

    rng, found, shown = random.Random("claims, mixed"), {"steps": steps}, []
    scenes = [scene_of(rng, number) for number in range(max(1, count // 3))]
    for which, single in (("mixed", 0.5), ("video", 0.0)):
        errors, ways = [], []
        for scene, text in scenes:
            clip = world.render_clip(scene, FRAMES)
            tuned, _ = tuned_parts.looks_of(family, clip, text, steps, RATE / 2, single)
            made = tuned_parts.made_good(tuned, tuned_parts.without_details(clip), text, 0.7)
            errors.append(float((made - clip).abs().mean()))
            ways.append(trained_motion.likeness(made, clip))
        found[f"error_{which}"] = round(sum(errors) / len(errors), 4)
        found[f"likeness_{which}"] = round(sum(ways) / len(ways), 3)
        shown.append((f"{which} tuning", made))
    return found | verdict(found["error_mixed"] < found["error_video"]), [("the video", clip), *shown]


CLAIMS = {"joint": joint, "mixed": mixed}
"""Claim -> (family, steps, count) -> (numbers, [(label, clip or pictures)])."""


def verdict(is_shown: bool) -> dict[str, str]:
    """Whether a claim came out."""
    return {"verdict": "shown" if is_shown else "not shown"}


def scene_of(rng: random.Random, number: int):
    """A scene, and its text, whose motion goes through MOTIONS."""
    from ..demo import world

    scene = world.random_scene(rng, motion=MOTIONS[number % len(MOTIONS)])
    return scene, world.caption(scene, rng, name_motion=1.0)


def judge(family, module, count: int) -> tuple[dict, object]:
    """Shares of videos that are coherent and move as named, and their mean jerk; and the first of them."""
    from ..demo import play
    from ..host.injection import MotionSettings, apply_motion_module
    from .demo import mean, measure_clip

    rng, seen, first = random.Random("claims, judged"), {"coherent": [], "motion": [], "jerk": []}, None
    for number in range(count):
        scene, text = scene_of(rng, number)
        model = apply_motion_module(family.model, module, MotionSettings())
        frames = play.clip_of(family, model, text, seed=11_000 + number, num_frames=FRAMES)
        first = frames if first is None else first
        measures = measure_clip(frames, scene)
        for key, values in seen.items():
            values.append(measures[key])
    return {key: mean(values) for key, values in seen.items()}, first
