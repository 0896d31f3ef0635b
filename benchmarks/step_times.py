"""The times of single sampling steps in this process, with and without a motion module, which take turns."""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

Times = dict[str, dict[str, list[float]]]
"""Seconds of every step: {"plain": {"wall": [...], "cpu": [...]}, "motion": the same}."""

FRAMES = 16
KINDS = ("plain", "motion")
CLOCKS = ("wall", "cpu")


def main(arguments: list[str]) -> dict:
    """Prints one JSON object of `step_times` as the last line; returns that object."""
    parser = argparse.ArgumentParser(prog="bench step_times", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the model files lie; missing ones are written")
    parser.add_argument("--size", type=int, default=128, help="picture width and height in pixels (128)")
    parser.add_argument("--repeats", type=int, default=3, help="measured steps of each kind (3)")
    options = parser.parse_args(arguments)
    result = step_times(options.folder, options.size, options.repeats)
    print(json.dumps(result))
    return result


def step_times(folder: Path, size: int, repeats: int) -> Times:
    """Times with `repeats` steps of each kind; cpu is that of all threads of this process."""
    from ..host.injection import MotionSettings, apply_motion_module
    from .full_size import load_full_size

    model, module = load_full_size(folder)
    return times_of(model, apply_motion_module(model, module, MotionSettings()), size, repeats)


def times_of(plain, motion, size: int, repeats: int) -> Times:
    """Times of two MODELs, which take turns after a round that loads and warms up."""
    patchers = dict(zip(KINDS, (plain, motion), strict=True))
    times = {kind: {clock: [] for clock in CLOCKS} for kind in KINDS}
    for repeat in range(repeats + 1):
        for kind, patcher in patchers.items():
            seconds = one_step(patcher, size)
            for clock in CLOCKS if repeat else ():
                times[kind][clock].append(seconds[clock])
    return times


def joined(parts: Sequence[Times]) -> Times:
    """The times of several processes as one."""
    return {k: {clock: sum((part[k][clock] for part in parts), []) for clock in CLOCKS} for k in KINDS}


def ratios(times: Times) -> dict[str, float]:
    """Medians in seconds by the wall clock; by both clocks the median with the module / that without."""
    plain, motion = ({clock: statistics.median(times[kind][clock]) for clock in CLOCKS} for kind in KINDS)
    return {
        "step_ratio": round(motion["wall"] / plain["wall"], 4),
        "step_cpu_ratio": round(motion["cpu"] / plain["cpu"], 4),
        "plain_seconds": round(plain["wall"], 3),
        "motion_seconds": round(motion["wall"], 3),
    }


def one_step(model, size: int) -> dict[str, float]:
    """Seconds of one step of core's sampler by both clocks; loading is not part of it."""
    import comfy.sample
    import torch

    latent = torch.zeros(FRAMES, 4, size // 8, size // 8)
    noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(0))
    width = model.model.model_config.unet_config["context_dim"]
    cond = torch.randn(1, 77, width, generator=torch.Generator().manual_seed(1))
    started = []

    def note_start(apply, arguments):
        started.append(clocks())
        return apply(arguments["input"], arguments["timestep"], **arguments["c"])

    timed = model.clone()
    timed.set_model_unet_function_wrapper(note_start)
    prompts = [[cond, {}]], [[-cond, {}]]
    comfy.sample.sample(timed, noise, 1, 7.0, "euler", "normal", *prompts, latent, disable_pbar=True, seed=0)
    return {clock: end - start for clock, start, end in zip(CLOCKS, started[0], clocks(), strict=True)}


def clocks() -> tuple[float, float]:
    """Now, by the wall clock and by the processors' time for this process."""
    return time.perf_counter(), time.process_time()
