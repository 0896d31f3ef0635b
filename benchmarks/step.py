"""One sampling step with a motion module against one without: 16 frames, SD1.5 and AnimateDiff v2 at full size."""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

FRAMES = 16
PEER = {64: 1.37, 128: 1.48}
"""AnimateDiff-Evolved 1.5.7 on one CPU core, per picture size in pixels."""


def main(arguments: list[str]) -> dict:
    """Prints a table for people, or with --json one object {"step_ratio": ...} as the last line; returns that object."""
    parser = argparse.ArgumentParser(prog="bench step", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--size", type=int, default=128, help="picture width and height in pixels (128)")
    parser.add_argument("--repeats", type=int, default=3, help="measured steps of each kind (3)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        result = measure(Path(folder), options.size, options.repeats)
    if options.json:
        print(json.dumps(result))
    else:
        print(f"{FRAMES} frames of {options.size} px, SD1.5 + AnimateDiff v2, full size, median of {options.repeats} in one run")
        print(f"  plain step            {result['plain_seconds']:8.2f} s")
        print(f"  with motion module    {result['motion_seconds']:8.2f} s")
        peer = PEER.get(options.size, "not measured")
        print(f"  ratio                 {result['step_ratio']:8.3f}   (AnimateDiff-Evolved on one CPU core: {peer})")
    return result


def measure(folder: Path, size: int, repeats: int) -> dict:
    """Medians in seconds and their ratio; plain and moving steps take turns, so that both see the same machine."""
    from ..host.injection import MotionSettings, apply_motion_module
    from .full_size import load_full_size

    model, module = load_full_size(folder)
    moving = apply_motion_module(model, module, MotionSettings())
    times: dict[str, list[float]] = {"plain": [], "motion": []}
    for repeat in range(repeats + 1):
        for name, patcher in (("plain", model), ("motion", moving)):
            seconds = _one_step(patcher, size)
            if repeat:  # the first round loads and warms up
                times[name].append(seconds)
    plain, motion = statistics.median(times["plain"]), statistics.median(times["motion"])
    return {
        "step_ratio": round(motion / plain, 4), "plain_seconds": round(plain, 3), "motion_seconds": round(motion, 3),
        "frames": FRAMES, "size": size, "repeats": repeats,
    }


def _one_step(model, size: int) -> float:
    import comfy.sample
    import torch

    latent = torch.zeros(FRAMES, 4, size // 8, size // 8)
    noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(0))
    cond = torch.randn(1, 77, 768, generator=torch.Generator().manual_seed(1))
    started = []

    def note_start(apply, arguments):  # loading is not part of the step
        started.append(time.perf_counter())
        return apply(arguments["input"], arguments["timestep"], **arguments["c"])

    timed = model.clone()
    timed.set_model_unet_function_wrapper(note_start)
    comfy.sample.sample(timed, noise, 1, 7.0, "euler", "normal", [[cond, {}]], [[-cond, {}]], latent, disable_pbar=True, seed=0)
    return time.perf_counter() - started[0]
