"""Long video by the tiny family: FIFO diffusion, FreeInit, extended clips and given frames, by its judge."""

from __future__ import annotations

import argparse
import json
import random

import torch

LONG, FIFO_STEPS = 96, 16  # frames and places of the queue of a FIFO video
CLIP, NEW, WINDOW, OVERLAP = 16, 24, 16, 8  # frames of a clip, behind it, of a window, known in a window
MOTIONS = ("bounce", "orbit", "right", "still")
KEYS = ("fifo_identity_96", "fifo_jerk_96", "extend_seam", "extend_identity", "freeinit_jerk", "plain_jerk")


def main(arguments: list[str]) -> dict:
    """Prints a table, or with --json one object with KEYS as the last line; returns that object."""
    parser = argparse.ArgumentParser(prog="bench long_video", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--fifo", type=int, default=4, help=f"FIFO videos of {LONG} frames (4)")
    parser.add_argument("--known", type=int, default=0, help="clips with known frames, with each weight (0)")
    parser.add_argument("--weights", default="0,2", help="weights of Reconstruction Guidance for these (0,2)")
    parser.add_argument("--clips", type=int, default=8, help="clips that go on, and with FreeInit (8)")
    options = parser.parse_args(arguments)
    result = measure(options.fifo, options.clips)
    if options.known:
        from ..demo import play

        weights = [float(weight) for weight in options.weights.split(",")]
        result |= measure_known_frames(play.load_family(), options.known, weights)
    if options.json:
        print(json.dumps(result))
    else:
        for key, value in result.items():
            print(f"  {key:24} {value}")
    return result


def measure(fifo: int = 4, clips: int = 8) -> dict:
    """All measures, None without videos. Shares are 0..1; a seam is the change of frames where new ones
    begin, divided by that elsewhere, 1 = none is seen; jerk is in pixels.
    """
    from ..demo import play

    family = play.load_family()
    result = measure_fifo(family, fifo) | measure_extension(family, clips) | measure_freeinit(family, clips)
    return {key: result[key] for key in KEYS}


def mean(values: list) -> float | None:
    """The mean, rounded; None of nothing."""
    return round(sum(values) / len(values), 4) if values else None


def scenes(name: str, count: int) -> list[tuple]:
    """Scenes with these motions in turn, and captions that name them."""
    from ..demo import world

    rng = random.Random(name)
    made = [world.random_scene(rng, motion=MOTIONS[index % len(MOTIONS)]) for index in range(count)]
    return [(scene, world.caption(scene, rng, name_motion=1.0)) for scene in made]


def identity(frames: torch.Tensor, scene) -> list[bool]:
    """Whether each of the frames (F, 3, H, W) shows the thing of the scene."""
    from ..demo import judge

    return [r.colour == scene.colour and r.shape == scene.shape for r in judge.read_frames(frames)]


def jerk(frames: torch.Tensor) -> float:
    from ..demo import judge

    return judge.read_motion(frames).jerk


def seam(frames: torch.Tensor, firsts: list[int]) -> float:
    """How much more the frames (F, 3, H, W) change into those of these numbers than into the others."""
    change = frames.diff(dim=0).abs().mean((1, 2, 3))
    at = torch.zeros(len(change), dtype=torch.bool)
    at[[first - 1 for first in firsts]] = True
    return float(change[at].mean() / change[~at].mean())


def measure_fifo(family, count: int) -> dict:
    """Videos of LONG frames out of a queue of FIFO_STEPS: whether the thing stays itself."""
    from ..demo import play
    from ..host.sampling.fifo import FifoSampler
    from ..samplers.fifo import FifoSettings

    same, jerks = [], []
    for index, (scene, text) in enumerate(scenes("fifo", count)):
        sampler = FifoSampler(FifoSettings(WINDOW))
        latents = play.latents_by(family, play.moving(family), text, 7000 + index, LONG, sampler, FIFO_STEPS)
        frames = play.decoded(family, latents)
        same += identity(frames, scene)
        jerks.append(jerk(frames))
    return {"fifo_identity_96": mean(same), "fifo_jerk_96": mean(jerks)}


def measure_extension(family, count: int) -> dict:
    """Clips that go on: whether it is seen where a window begins, and whether the thing stays itself."""

    from ..demo import play
    from ..host.sampling.extend_video import ExtendingSampler
    from ..samplers.going_on import GoingOnSettings

    seams, same = [], []
    settings, model = GoingOnSettings(WINDOW, OVERLAP), play.moving(family)
    firsts = [CLIP + window.start + known for window, known in settings.windows(NEW, CLIP)]
    for index, (scene, text) in enumerate(scenes("extend", count)):
        sampler = play.sampler()
        clip = play.latents_by(family, model, text, 8000 + index, CLIP, sampler)
        extending = ExtendingSampler(sampler, clip, settings)
        new = play.latents_by(family, model, text, 8100 + index, NEW, extending)
        frames = play.decoded(family, torch.cat((clip, new)))
        seams.append(seam(frames, firsts))
        same += identity(frames[CLIP:], scene)
    return {"extend_seam": mean(seams), "extend_identity": mean(same)}


def measure_known_frames(family, count: int, weights: list[float]) -> dict:
    """Reconstruction guidance by these weights, 0 = none: by how much more the frames change where known ones
    meet new ones, for clips whose first half is known and for clips whose first and last frame are; and
    whether the thing stays itself in the new ones.
    """
    half = CLIP // 2
    goes_on = _filled_in(family, count, weights, list(range(half)), [half])
    between = _filled_in(family, count, weights, [0, CLIP - 1], [1, CLIP - 1])
    ways = {"goes_on": goes_on, "between": between}
    return {f"{way}_{key}": value for way, found in ways.items() for key, value in found.items()}


def _filled_in(family, count: int, weights: list[float], kept: list[int], firsts: list[int]) -> dict:
    from ..demo import play
    from ..frame_tools.kept_frames import KeptFrames, keep_frames
    from ..host.sampling.reconstruction_guidance import guide_by_known_frames
    from ..samplers.reconstruction_guidance import ReconstructionSettings

    model, where = play.moving(family), KeptFrames(",".join(map(str, kept)))
    made = [frame for frame in range(CLIP) if frame not in kept]
    seams: dict[float, list] = {weight: [] for weight in weights}
    same: dict[float, list] = {weight: [] for weight in weights}
    for index, (scene, text) in enumerate(scenes("known", count)):
        clip = play.latents_by(family, model, text, 8200 + index, CLIP, play.sampler())
        latent = keep_frames({"samples": torch.zeros_like(clip)}, clip[kept], where)
        for weight in weights:
            guided = guide_by_known_frames(model, ReconstructionSettings(weight))
            video = play.latents_by(family, guided, text, 8300 + index, CLIP, play.sampler(), latent=latent)
            frames = play.decoded(family, video)
            seams[weight].append(seam(frames, firsts))
            same[weight] += identity(frames[made], scene)
    result = {f"seam_by_{weight:g}": mean(seams[weight]) for weight in weights}
    return result | {f"identity_by_{weight:g}": mean(same[weight]) for weight in weights}


def measure_freeinit(family, count: int) -> dict:
    """The path of the thing with FreeInit and without, the same prompts and seeds."""
    from ..demo import play
    from ..host.sampling.freeinit import apply_freeinit
    from ..samplers.freeinit import FreeInitSettings

    jerks: dict[str, list[float]] = {"plain_jerk": [], "freeinit_jerk": []}
    plain = play.moving(family)
    models = {"plain_jerk": plain, "freeinit_jerk": apply_freeinit(plain, FreeInitSettings())}
    for index, (_, text) in enumerate(scenes("freeinit", count)):
        for key, model in models.items():
            jerks[key].append(jerk(play.clip_of(family, model, text, 9000 + index)))
    return {key: mean(values) for key, values in jerks.items()}
