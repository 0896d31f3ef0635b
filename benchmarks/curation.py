"""Curation measured: cuts, motion, text and speed against clips of known truth; and Stable Video Diffusion's
claim in miniature, that a model trained on curated clips is better than one trained on the raw ones.

The raw collection is of the demo's world: good videos, and as many with a fault each. The judge is the
demo's, in place of people.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from pathlib import Path

from ..devtools.paths import ROOT

TRUTH = ROOT / "tests" / "data" / "curation"
SECTIONS = ("truth", "speed", "claim")
NEAR = 4
"""Frames by which the ends of a gradual cut may be off."""
METHOD, STEPS, FRAMES, FPS = "VDM factorised attention", 60, 8, 8
FAULTS = ("cut", "still", "text", "flicker", "wrong text")
EACH = 3
"""Videos of each fault in the raw collection."""


def main(arguments: list[str]) -> dict:
    """Prints a line for each number, or with --json one object; returns that object."""
    parser = argparse.ArgumentParser(prog="bench curation", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--only", choices=SECTIONS, help="one section instead of all")
    parser.add_argument("--steps", type=int, default=STEPS, help=f"updates of each training ({STEPS})")
    parser.add_argument("--count", type=int, default=8, help="videos of each model that are judged (8)")
    parser.add_argument("--seconds", type=int, default=20, help="of the 720p video whose speed is taken (20)")
    options = parser.parse_args(arguments)
    found = {}
    for section in (options.only,) if options.only else SECTIONS:
        if section == "truth":
            found |= truth()
        elif section == "speed":
            found |= speed(options.seconds)
        else:
            found |= claim(options.steps, options.count)
    if options.json:
        print(json.dumps(found))
    else:
        for key, value in found.items():
            print(f"  {key:24} {value}")
    return found


def truth(names: frozenset[str] | None = None) -> dict:
    """cut_f1: of hard cuts, exact, and gradual ones, within NEAR frames. cut_false_per_minute. static_auc:
    how well motion tells still clips from moving ones. text_area_error: the largest. names: of some
    clips instead of all.
    """
    from ..curation.cuts.cut import HARD
    from ..curation.measures.look import MeasureClips
    from ..curation.measures.motion import FlowMotion
    from ..curation.measures.pictures import Pictures, TextArea
    from ..curation.settings import Clips, Cuts, Motion, Settings
    from ..curation.shots import FindClips, Probe
    from ..curation.stage import run_stages
    from ..curation.videos import probed

    known = json.loads((TRUTH / "truth.json").read_text(encoding="utf8"))["clips"]
    whole = {
        name: told for name, told in known.items() if not told.get("broken") and (not names or name in names)
    }
    settings = Settings(clips=Clips(0.0, 0.0), cuts=Cuts(margin=0.0))
    hits = wanted = found = 0
    minutes, motions, errors = 0.0, {True: [], False: []}, []
    for name, told in whole.items():
        finder = FindClips(TRUTH, settings)
        finder.setup()
        cuts = finder.scan(TRUTH / name, probed(TRUTH / name)).cuts
        hard = {cut.first for cut in cuts if cut.kind == HARD} & set(told.get("cuts", []))
        soft = [
            pair for pair in told.get("transitions", [])
            if any(cut.kind != HARD and abs(cut.first - pair[0]) <= NEAR and abs(cut.last - pair[1]) <= NEAR
                   for cut in cuts)
        ]  # fmt: skip
        hits += len(hard) + len(soft)
        wanted += len(told.get("cuts", [])) + len(told.get("transitions", []))
        found += len(cuts)
        minutes += probed(TRUTH / name).end / 60
        measures = [FlowMotion(Motion()), Pictures([TextArea()])]
        stages = [Probe(TRUTH), FindClips(TRUTH, settings), MeasureClips(TRUTH, measures)]
        for stage in stages:
            stage.setup()
        rows = [row for row in run_stages(stages, [{"source": name}]) if "motion" in row]
        if "flow" in told:
            motions[told["flow"]["mean_magnitude"] == 0] += [row["motion"] for row in rows]
        errors += [abs(row["text_area"] - told["text_fraction"]) for row in rows if "text" in told]
    pairs = [(still, moving) for still in motions[True] for moving in motions[False]]
    return {
        "cut_f1": round(2 * hits / (wanted + found), 4),
        "cut_false_per_minute": round((found - hits) / minutes, 3),
        "static_auc": round(statistics.mean((s < m) + (s == m) / 2 for s, m in pairs), 4),
        "text_area_error": round(max(errors), 4),
    }


def speed(seconds: int) -> dict:
    """realtime_factor: seconds of 720p at 24 frames a second for each second of the clock, the usual settings
    with two processes, files included.
    """
    from ..curation.job import Job
    from ..curation.runner import Curation
    from ..curation.settings import Settings

    with tempfile.TemporaryDirectory() as place:
        raw = Path(place) / "raw"
        raw.mkdir()
        for half in range(2):
            write_pan(raw / f"{half}.mp4", 12 * seconds)
        begun = time.perf_counter()
        Curation(Job(raw, Path(place) / "out", Settings()), workers=2).run()
        spent = time.perf_counter() - begun
    return {"realtime_factor": round(seconds / spent, 3), "speed_seconds": round(spent, 1)}


def write_pan(path: Path, num_frames: int) -> None:
    """A video of 1280x720 at 24 frames a second, which pans over a blurred noise."""
    import torch

    from ..video_io.encode import encode_h264

    generator = torch.Generator().manual_seed(0)
    picture = torch.nn.functional.interpolate(
        torch.rand(1, 3, 90, 240, generator=generator), (720, 1920), mode="bicubic"
    )[0].clamp(0, 1).movedim(0, -1)  # fmt: skip
    encode_h264((picture[:, 2 * n % 640 :][:, :1280] for n in range(num_frames)), str(path), 24.0)


def claim(steps: int, count: int) -> dict:
    """raw_score, curated_score: the share of `count` videos in which one thing goes one way, of new layers
    trained on all raw videos and on the curated clips; raw_jerk, curated_jerk in pixels. lost: the faults of
    which no clip is left.
    """
    from ..curation.job import Job
    from ..curation.rows import read_rows
    from ..curation.runner import Curation
    from ..curation.settings import Clips, Keep, Settings, Text
    from ..demo import play

    family = play.load_family()
    with tempfile.TemporaryDirectory() as place:
        raw, out = Path(place) / "raw", Path(place) / "out"
        raw.mkdir()
        number = write_raw(raw)
        settings = Settings(
            clips=Clips(FRAMES / FPS - 0.05, 0), text=Text(area=True),
            keep=Keep(least={"motion": 0.05}, most={"text_area": 0.01}),
        )  # fmt: skip
        finished = Curation(Job(raw, out, settings)).run()
        kept = {row["source"].rsplit("-", 1)[0] for row in read_rows(finished.table)}
        files = {path.stem.rsplit("-", 1)[0]: 0 for path in raw.glob("*.mp4")}
        found = {"raw_videos": number, "curated_clips": finished.counts.kept}
        found["lost"] = {fault: fault not in kept for fault in files}
        for which, folder in (("raw", raw), ("curated", out / "clips")):
            found |= trained_on(family, folder, which, steps, count)
    return found


def write_raw(folder: Path) -> int:
    """Videos of two seconds, `<fault>-<number>.mp4` with a .txt each; as many good ones as faulty ones."""
    from ..video_io.encode import encode_h264

    rng = random.Random("bench curation")
    kinds = [kind for kind in (*FAULTS, *["good"] * len(FAULTS)) for _ in range(EACH)]
    for number, kind in enumerate(kinds):
        frames, text = faulty(kind, rng, number)
        stem = folder / f"{kind}-{number:02}"
        encode_h264(list(frames.movedim(1, -1).clamp(0, 1)), f"{stem}.mp4", float(FPS))
        stem.with_suffix(".txt").write_text(text, encoding="utf8")
    return len(kinds)


def faulty(kind: str, rng: random.Random, number: int) -> tuple:
    """(frames (2 * FRAMES, 3, H, W), text) of a video with a fault, or without one."""
    import torch

    from ..demo import world
    from .claims import MOTIONS

    scene = world.random_scene(rng, motion=MOTIONS[number % len(MOTIONS)])
    text = world.caption(scene, rng, name_motion=1.0)
    frames = world.render_clip(scene, 2 * FRAMES)
    if kind == "cut":
        other = world.random_scene(rng, motion=MOTIONS[(number + 1) % len(MOTIONS)])
        frames[4 : 4 + FRAMES + 4] = world.render_clip(other, FRAMES + 4)
    elif kind == "still":
        frames = frames[:1].repeat(2 * FRAMES, 1, 1, 1)
    elif kind == "text":
        frames = with_text(frames)
    elif kind == "flicker":
        chance = torch.Generator().manual_seed(number)
        frames = frames * (0.5 + torch.rand(len(frames), 1, 1, 1, generator=chance))
    elif kind == "wrong text":
        text = world.caption(world.random_scene(rng), rng, name_motion=1.0)
    return frames, text


def with_text(frames):
    """The frames with a line of text at their foot."""
    import torch

    from ..frame_tools.labels import label_bar

    bar = label_bar("SUBSCRIBE NOW", frames.shape[-1], 20).movedim(-1, 0)
    return torch.cat((frames[:, :, :-20], bar.expand(len(frames), -1, -1, -1)), 2)


def trained_on(family, folder: Path, which: str, steps: int, count: int) -> dict:
    """What new layers come to that are trained on a folder of videos with texts."""
    from ..demo import play, world
    from ..host.injection.motion_models import new_for_model
    from ..host.tuning.clip_folders import FolderSettings, clips_below
    from ..host.tuning.run import TrainingRun
    from ..host.tuning.temporal_training import train_temporal_layers
    from ..tuning.recipe import Recipe
    from .claims import RATE, judge

    settings = FolderSettings(FRAMES, 0.0, world.SIZE, world.SIZE, clips_per_video=0)
    clips, _ = clips_below(folder, family.vae, family.clip, settings)
    recipe = Recipe(
        steps=steps, learning_rate=RATE, rate_schedule="cosine", text_dropout=0.05, loss="velocity"
    )
    run = TrainingRun(clips, play.encode(family, [""]), recipe, checkpointing=False)
    module, _ = train_temporal_layers(family.model, new_for_model(family.model, METHOD), run)
    judged = judge(family, module, count)[0]
    return {
        f"{which}_clips_trained": len(clips), f"{which}_score": judged["coherent"],
        f"{which}_jerk": judged["jerk"],
    }  # fmt: skip
