"""The times of single sampling steps in this process, with and without a motion module, which take turns."""

from __future__ import annotations

import statistics
import time

Times = dict[str, dict[str, list[float]]]
"""Seconds of every step: {"plain": {"wall": [...], "cpu": [...]}, "motion": the same}."""

FRAMES = 16
KINDS = ("plain", "motion")
CLOCKS = ("wall", "cpu")


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
