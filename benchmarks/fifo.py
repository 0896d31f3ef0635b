"""What FIFO diffusion takes besides its windows: a step of a queue of 64 frames against the evaluations of
its windows one by one, and the memory that each frame more of a long video adds to the peak.

fifo_step_ratio: CPU seconds of an iteration (medians) / windows of the queue times those of a step of one
window alone, by the demo's checkpoint and motion module. fifo_kib_per_frame: the network is left out, as in
bench windows_memory; noise and result of a frame are two times latent_kib_per_frame.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time

from .windows_memory import LATENT, tiny_family

QUEUE, WINDOW = 64, 16
FEW, MANY = 256, 1024
KEYS = ("fifo_step_ratio", "fifo_lookahead_step_ratio", "fifo_kib_per_frame", "latent_kib_per_frame")


def main(arguments: list[str]) -> dict:
    """Prints one JSON object with KEYS as the last line; returns that object."""
    parser = argparse.ArgumentParser(prog="bench fifo", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print nothing but the JSON object")
    parser.add_argument("--iterations", type=int, default=12, help="iterations that are timed (12)")
    options = parser.parse_args(arguments)
    result = step_ratios(options.iterations) | per_frame(FEW, MANY, LATENT)
    if not options.json:
        for key in KEYS:
            print(f"  {key:28} {result[key]}")
    print(json.dumps(result))
    return result


def step_ratios(iterations: int, queue: int = QUEUE, window: int = WINDOW) -> dict[str, float]:
    """The two ratios of a queue of `queue` frames in windows of `window`."""
    import comfy.samplers

    from ..demo import play
    from ..host.sampling.fifo import FifoSampler
    from ..samplers.fifo import FifoSettings

    moving = play.moving(play.load_family())
    alone = seconds_of_steps(moving, comfy.samplers.sampler_object("euler"), window, iterations + 1)
    result = {}
    for key, lookahead in (("fifo_step_ratio", False), ("fifo_lookahead_step_ratio", True)):
        settings = FifoSettings(window, lookahead=lookahead)
        # The queue's first window is a clip of its own: `queue` steps that are none of the queue's.
        times = seconds_of_steps(moving, FifoSampler(settings), window + iterations - 1, queue)[queue:]
        windows = len(settings.windows(queue))
        result[key] = round(statistics.median(times[1:]) / (windows * statistics.median(alone[1:])), 3)
    return result


def seconds_of_steps(model, sampler, frames: int, steps: int) -> list[float]:
    """CPU seconds of every step of a run of 64 x 64 pixels."""
    times = [time.process_time()]
    _sample(model, sampler, frames, (4, 8, 8), steps, lambda *_: times.append(time.process_time()))
    return [end - start for start, end in zip(times, times[1:], strict=False)]


def per_frame(few: int, many: int, latent: tuple[int, int, int]) -> dict[str, float]:
    """KiB that each frame more adds to the peak of a whole FIFO run, and KiB of its latents (C, H, W)."""
    model = tiny_family()
    peaks = {frames: _peak(model, frames, latent) for frames in (WINDOW, few, many)}  # the first one loads it
    size = 4 * latent[0] * latent[1] * latent[2]
    return {
        "fifo_kib_per_frame": round((peaks[many] - peaks[few]) / (many - few) / 1024, 1),
        "latent_kib_per_frame": round(size / 1024, 1),
    }


def _peak(model, frames: int, latent: tuple[int, int, int]) -> int:
    """Bytes that this process holds more at most while it samples so many frames out of a queue."""
    from ..host.sampling.fifo import FifoSampler
    from ..samplers.fifo import FifoSettings
    from .methods import give_memory_back
    from .peak_memory import Peak

    give_memory_back()
    with Peak() as memory:
        _sample(model, FifoSampler(FifoSettings(WINDOW)), frames, latent, WINDOW)
    return memory.more


def _sample(model, sampler, frames: int, latent: tuple[int, int, int], steps: int, callback=None):
    import comfy.sample
    import comfy.samplers
    import torch

    zeros = torch.zeros(frames, *latent)
    noise = torch.randn(zeros.shape, generator=torch.Generator().manual_seed(0))
    width = model.model.model_config.unet_config["context_dim"]
    prompts = [[[torch.full((1, 77, width), value), {}]] for value in (0.1, -0.1)]
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "normal", steps)
    comfy.sample.sample_custom(
        model, noise, 7.0, sampler, sigmas, *prompts, zeros, callback=callback, disable_pbar=True, seed=0
    )
