"""What training comes to on the tiny family: a MotionLoRA for a camera move, and one-shot tuning, judged; and
the memory of a MotionLoRA at SD1.5's own size.

Clips are of the demo's world. Seconds are those of the clock, of two threads where there are two cores.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
from pathlib import Path

SECTIONS = ("motion_lora", "one_clip", "Tune-A-Video", "SimDA", "full_size")
PAN, NEAR = 10.0, 4.0
"""Pixels: of a pan in 16 frames, and between a thing's places in the video and in its edit."""


def main(arguments: list[str]) -> dict:
    """Prints a line for each number, or with --json one object {section: numbers}; returns that object."""
    parser = argparse.ArgumentParser(prog="bench training", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--only", choices=SECTIONS, help="one section instead of all")
    parser.add_argument("--steps", type=int, help="steps of each run instead of those of its section")
    parser.add_argument("--count", type=int, default=8, help="videos that are judged (8)")
    options = parser.parse_args(arguments)
    result = run((options.only,) if options.only else SECTIONS, options.count, options.steps)
    if options.json:
        print(json.dumps(result))
    else:
        for section, numbers in result.items():
            for key, value in numbers.items():
                print(f"  {section + '.' + key:32} {value}")
    return result


def run(sections: tuple[str, ...], count: int, steps: int | None) -> dict:
    """The numbers of each section, of `count` videos."""
    from ..demo import play

    family, found = play.load_family(), {}
    for section in sections:
        if section == "motion_lora":
            found[section] = motion_lora(family, count, steps or 120)
        elif section == "one_clip":
            found[section] = one_clip(family, count, steps)
        elif section == "full_size":
            found[section] = full_size(steps or 2)
        else:
            found[section] = one_shot(family, section, count, steps or 150)
    return found


def clips_of(family, scenes: list, texts: list[str], num_frames: int):
    """TRAINING_CLIPS of scenes of the world, each with its text."""
    from ..demo import play, world
    from ..host.tuning.clips import add_clip

    clips = None
    for scene, text in zip(scenes, texts, strict=True):
        latents = family.vae.encode(world.render_clip(scene, num_frames).movedim(1, -1))
        clips = add_clip(clips, {"samples": latents}, play.encode(family, [text]))
    return clips


def motion_lora(family, count: int, steps: int) -> dict:
    """A MotionLoRA for a camera that pans right, from 12 clips of things that stand still; other things are
    sampled with it and without it.
    """
    from ..demo import judge, play, world
    from ..demo.files import path_of
    from ..host.injection import MotionSettings, apply_motion_module
    from ..host.injection.motion_models import motion_module_from_file
    from ..host.tuning.run import TrainingRun
    from ..host.tuning.temporal_training import train_motion_lora
    from ..tuning.recipe import Recipe

    rng, scenes, texts = random.Random("training: pan"), [], []
    for _ in range(12):
        scene = world.random_scene(rng, motion="still", camera="pan right")
        scenes.append(scene)
        texts.append(world.caption(scene, rng, name_motion=1.0))
    recipe = Recipe(
        steps=steps, learning_rate=4e-3, rate_schedule="cosine", text_dropout=0.05, loss="velocity"
    )
    training = TrainingRun(
        clips_of(family, scenes, texts, 16), play.encode(family, [""]), recipe, checkpointing=False
    )
    module = motion_module_from_file(path_of("motion_v2"))
    trained, _, ran = train_motion_lora(family.model, module, training, 8, "attention")
    shifts = {"with": [], "without": []}
    coherent = []
    for index in range(count):
        scene = world.random_scene(rng, motion="still")
        text = world.caption(scene, rng, name_motion=1.0)
        for which, one in (("with", trained), ("without", module)):
            model = apply_motion_module(family.model, one, MotionSettings())
            frames = play.clip_of(family, model, text, seed=9000 + index)
            readings = judge.read_frames(frames)
            shifts[which].append(readings[0].x - readings[-1].x)
            if which == "with":
                coherent.append(judge.coherent(readings, judge.read_motion(frames, readings)))
    return {
        "pans": share(shift >= PAN and one for shift, one in zip(shifts["with"], coherent, strict=True)),
        "shift": round(statistics.mean(shifts["with"]), 2),
        "shift_without": round(statistics.mean(shifts["without"]), 2),
        **costs(ran),
    }


def one_clip(family, count: int, steps: int | None) -> dict:
    """A MotionLoRA of one video, by the debiased loss: how alike the ways of other things are to the video's,
    with it and without (`likeness`, -1 to 1), and whether their looks are those of their prompts.
    """
    from ..demo import judge, world
    from ..demo import trained_motion as motion

    video = motion.video_to_learn_from()
    module, ran = motion.motion_of(family, video, motion.SHOWS, steps or motion.STEPS)
    rng, found = random.Random("training: one clip"), {}
    for index in range(count):
        scene = world.random_scene(rng, motion="still")
        text = world.caption(scene, rng, name_motion=0.0)
        for which, one in (("", module), ("_without", family.motion_module)):
            frames = motion.moved_by(family, one, text, 50 + index)
            readings = judge.read_frames(frames)
            looks = [(r.colour, r.shape) == (scene.colour, scene.shape) for r in readings]
            coherent = judge.coherent(readings, judge.read_motion(frames, readings))
            for key, value in (
                ("likeness", motion.likeness(frames, video)), ("looks", share(looks)), ("coherent", coherent),
            ):  # fmt: skip
                found.setdefault(key + which, []).append(float(value))
    return {key: round(statistics.mean(values), 3) for key, values in found.items()} | costs(ran)


def one_shot(family, method: str, count: int, steps: int) -> dict:
    """New layers of a method, tuned on one clip; the clip is then sampled from its own noise (DDIM inversion)
    with another colour in the prompt.
    """
    from ..demo import judge, world
    from ..demo.one_shot import made_anew, tuned
    from ..host.injection.motion_models import new_for_model

    rng = random.Random("training: one shot")
    motions = ("right", "orbit", "bounce", "down")
    found = {"colour": [], "place": [], "motion": [], "untrained_place": []}
    ran = None
    for index in range(max(1, count // 4)):
        scene = world.random_scene(rng, motion=motions[index % 4])
        text = world.caption(scene, rng, name_motion=1.0)
        clip = world.render_clip(scene, 8)
        new = new_for_model(family.model, method)
        module, ran = tuned(family, clip, text, method, steps, seed=index)
        before = judge.read_frames(clip)
        other = next(c for c in world.COLOURS if c != scene.colour and world.visible(c, scene.background))
        for one, is_trained in ((module, True), (new, False)):
            made = made_anew(family, one, clip, text.replace(scene.colour, other))
            after = judge.read_frames(made)
            near = share(
                ((a.x - b.x) ** 2 + (a.y - b.y) ** 2) ** 0.5 < NEAR
                for a, b in zip(before, after, strict=True)
            )
            if is_trained:
                found["place"].append(near)
                found["colour"].append(share(reading.colour == other for reading in after))
                kept = judge.read_motion(made, after).name == judge.read_motion(clip, before).name
                found["motion"].append(float(kept))
            else:
                found["untrained_place"].append(near)
    return {key: round(statistics.mean(values), 3) for key, values in found.items()} | costs(ran)


def full_size(steps: int) -> dict:
    """The most memory that a MotionLoRA's training takes at SD1.5's size, 16 frames of 64x64 pixels, with
    gradient checkpointing and without: of the whole process, the models with it.
    """
    import torch

    from ..host.tuning.clips import add_clip
    from ..host.tuning.run import TrainingRun
    from ..host.tuning.temporal_training import train_motion_lora
    from ..tuning.recipe import Recipe
    from .full_size import load_full_size
    from .peak_memory import Peak, resident

    with tempfile.TemporaryDirectory() as folder:
        model, module = load_full_size(Path(folder))
    text = [[torch.randn(1, 77, 768), {}]]
    clips = add_clip(None, {"samples": torch.randn(16, 4, 8, 8)}, text)
    found = {"steps": steps}
    for name, checkpointing in (("checkpointing", True), ("without", False)):
        run = TrainingRun(clips, text, Recipe(steps=steps), checkpointing=checkpointing)
        before = resident()
        with Peak() as peak:
            ran = train_motion_lora(model, module, run, 32, "attention")[2]
        found[f"gib_{name}"] = round((before + peak.more) / 2**30, 2)
        found[f"seconds_a_step_{name}"] = round(ran.seconds / steps, 1)
    return found


def costs(ran) -> dict:
    """What a run took, and its mean loss at first and at last."""
    few = max(1, len(ran.losses) // 10)
    first, last = (statistics.mean(part) for part in (ran.losses[:few], ran.losses[-few:]))
    return {
        "steps": len(ran.losses), "seconds": round(ran.seconds),
        "first_loss": round(first, 4), "last_loss": round(last, 4),
    }  # fmt: skip


def share(values) -> float:
    """The part of them that is true."""
    return round(statistics.mean(map(float, values)), 3)
