"""What more machines would bring: costs measured here, a network and failures assumed, the rest simulated.

Prints speed-ups of 2 to 1000 workers with 1, 10 and 100 GbE for windows of one video, batches of videos and
curation; how well the simulation agrees with two real workers here; and the plan for 577 million clips.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import time
from pathlib import Path

from .cluster_costs import STEP_BYTES, Costs, Units, measure
from .cluster_simulation import GIGABIT, Network, Pool, Work, simulate, speed_up

WORKERS = (1, 2, 4, 8, 16, 64, 256, 1000)
GIGABITS = (1, 10, 100)
LATENCY = 1e-4
ODD = {"slow": 0.05, "times": 3.0, "spread": 0.1, "failures": 0.05, "restart": 120.0}
"""Assumed of a cluster in use: one worker in twenty takes three times as long, times vary by a tenth, and a
worker fails every twenty hours."""
SEEDS = 3
STEPS = 20
ALL_VIDEOS = 20_000
"""Raw videos of a simulated curation; a tenth of them where each is sampled."""
WINDOW, LARGE_WINDOW = 0.5, 3.0
"""Assumed seconds of a network call for a window: of an image network with a motion module, and of a network
of billions of weights, each on one GPU."""
LARGE_BYTES = 21 * 16 * 60 * 104 * 4
"""A window of Wan: 21 latent frames of 832x480 as float32."""
TEXT_BYTES = 2 * 77 * 768 * 4
CLIPS, CLIP_SECONDS = 577e6, 212.09 * 365.25 * 86400 / 577e6
"""Of the Large Video Dataset: Blattmann et al. 2023, Stable Video Diffusion (arXiv 2311.15127), section 3.1:
577 million clips, 212 years."""
KEPT = 152 / 577
"""What is left of it after filtering, there."""


def main(arguments: list[str]) -> dict:
    """Prints tables, or with --json one object; returns that object."""
    parser = argparse.ArgumentParser(prog="bench cluster_model", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument(
        "--costs", type=Path, help="a file with an earlier --json line, whose costs are taken"
    )
    parser.add_argument("--plot", type=Path, help="a PNG file to draw the curves into")
    parser.add_argument("--hosts", type=int, default=100, help="of the plan (100)")
    parser.add_argument("--cores", type=int, default=64, help="of each host of the plan (64)")
    parser.add_argument("--megabits", type=float, default=5.0, help="a second of raw videos and clips (5)")
    parser.add_argument("--minutes", type=float, default=5.0, help="of a raw video, in the mean (5)")
    options = parser.parse_args(arguments)
    costs = read_costs(options.costs) if options.costs else measure()
    result = {"costs": dataclasses.asdict(costs)}
    if not options.costs:
        result["agreement"] = agreement(costs)
    result["speed_ups"] = speed_ups(costs, options.megabits)
    result["plan"] = plan(costs, options.hosts, options.cores, options.megabits, 60 * options.minutes)
    if options.plot:
        draw(result["speed_ups"]).save(options.plot, optimize=True)
    if options.json:
        print(json.dumps(result))
    else:
        tell(result)
    return result


def read_costs(path: Path) -> Costs:
    """The costs that an earlier run has measured: of the last line of a file. Raises ValueError."""
    try:
        lines = path.read_text(encoding="utf8").strip().splitlines()
        return Costs(**json.loads(lines[-1])["costs"])
    except (OSError, ValueError, IndexError, KeyError, TypeError) as error:
        raise ValueError(f"{path.name} holds no costs ({error!r}); give what --json has printed.") from None


def windows(costs: Costs, units: int, seconds: float, size: float = STEP_BYTES, steps: int = STEPS) -> Work:
    """Windows of one video: latents go out, two results come back, and a step waits for all of them."""
    head = costs.message + 3 * size * costs.byte
    return Work(
        steps, units, seconds, sent=size, returned=2 * size, head=head,
        between=costs.byte * size * units, first=TEXT_BYTES,
    )  # fmt: skip


def works(costs: Costs, megabits: float) -> dict[str, Work]:
    """What is simulated, by its title. Units of videos: 64 frames, 5 windows, STEPS steps."""
    latents = 64 * 4 * 64 * 64 * 4
    found = {f"{units} windows of {WINDOW:g} s": windows(costs, units, WINDOW) for units in (5, 16, 64)}
    found["16 large windows of 3 s"] = windows(costs, 16, LARGE_WINDOW, LARGE_BYTES)
    found[f"{ALL_VIDEOS // 10} videos of 50 s"] = Work(
        1,
        ALL_VIDEOS // 10,
        STEPS * 5 * WINDOW,
        1e3,
        latents,
        head=costs.message + latents * costs.byte,
        first=TEXT_BYTES,
    )
    found[f"{ALL_VIDEOS} raw videos, 60 s each"] = Work(
        1, ALL_VIDEOS, 60 * costs.curation, 1e3, 1e3, read=60 * megabits * 1e6 / 8, head=costs.message
    )
    return found


def speed_ups(costs: Costs, megabits: float) -> dict[str, dict[str, list[float]]]:
    """{work: {network: a number for each of WORKERS}}. The last network is the middle one with ODD."""
    found: dict[str, dict[str, list[float]]] = {}
    for title, work in works(costs, megabits).items():
        curves, seeds = {}, SEEDS if work.units > 1000 else 10 * SEEDS
        for gigabits in GIGABITS:
            network = Network(gigabits * GIGABIT, gigabits * GIGABIT, LATENCY)
            curves[f"{gigabits} GbE"] = [round(speed_up(work, Pool(n), network), 2) for n in WORKERS]
        network = Network(10 * GIGABIT, 10 * GIGABIT, LATENCY)
        curves["10 GbE, odd workers"] = [
            round(speed_up(work, Pool(n, **ODD), network, seeds), 2) for n in WORKERS
        ]
        found[title] = curves
    return found


def agreement(costs: Costs, seconds: float = WINDOW, units: int = 5, steps: int = 4) -> dict[str, float]:
    """real, simulated: seconds of some steps on two worker processes, which wait in place of a network."""
    from ..curation.workers import AHEAD, Workers

    payload = bytes(STEP_BYTES)
    with Workers(Units(seconds), 2) as workers:
        for _ in workers.run("do", [(n, payload) for n in range(4)]):
            pass  # both processes start
        begun = time.perf_counter()
        for _ in range(steps):
            list(workers.run("do", [(n, payload) for n in range(units)]))
        real = time.perf_counter() - begun
    work = dataclasses.replace(windows(costs, units, seconds, steps=steps), between=0.0)
    simulated = simulate(work, Pool(2, ahead=AHEAD - 1), Network()).seconds
    return {"real": round(real, 2), "simulated": round(simulated, 2), "ratio": round(real / simulated, 3)}


def plan(costs: Costs, hosts: int, cores: int, megabits: float, video: float) -> dict[str, float]:
    """What 577 million clips take. video: seconds of a raw one. Bytes are decimal."""
    seconds = CLIPS * CLIP_SECONDS
    each = costs.cuts + costs.scores + KEPT * costs.files
    workers = hosts * cores
    bytes_of_second = megabits * 1e6 / 8
    sample = min(workers, 128)  # of the workers, with many videos each, as in the whole run
    work = Work(1, 200 * sample, video * each, 1e3, 1e3, head=costs.message)
    efficiency = speed_up(work, Pool(sample, **ODD), Network()) / sample
    videos = seconds / video
    return {
        "clips": CLIPS, "clip_seconds": round(CLIP_SECONDS, 1), "videos": round(videos),
        "shards": math.ceil(videos / 1000), "core_hours": round(seconds * each / 3600),
        "efficiency": round(efficiency, 3), "hosts": hosts, "cores": cores,
        "hours": round(seconds * each / workers / efficiency / 3600, 1),
        "read_gigabits": round(workers / each * megabits / 1000, 1),
        "raw_petabytes": round(seconds * bytes_of_second / 1e15, 2),
        "kept_petabytes": round(KEPT * seconds * bytes_of_second / 1e15, 2),
        "rows_terabytes": round(CLIPS * costs.row / 1e12, 2),
        "work_terabytes": round(CLIPS * costs.work / 1e12, 2),
        "previews_terabytes": round(CLIPS * costs.preview / 1e12, 2),
        "head_hours": round(CLIPS * costs.choice / 3600, 1),
        "head_gigabytes": round(CLIPS * 8 * 4 / 1e9, 1),
    }  # fmt: skip


def draw(found: dict[str, dict[str, list[float]]]):
    """The picture of docs/cluster_scale.md."""
    from .cluster_plot import Panel, draw_panels

    panels = []
    for title, curves in found.items():
        panels.append(Panel(title, WORKERS, curves))
    return draw_panels(panels)


def tell(result: dict) -> None:
    """The same as tables of Markdown."""
    for name in ("costs", "agreement"):
        for key, value in result.get(name, {}).items():
            print(f"  {key:20} {value:.4g}")
    print("\n| work | network | " + " | ".join(map(str, WORKERS)) + " |\n|---|---|" + "---|" * len(WORKERS))
    for title, curves in result["speed_ups"].items():
        for network, curve in curves.items():
            print(f"| {title} | {network} | " + " | ".join(f"{value:.3g}" for value in curve) + " |")
    print()
    for key, value in result["plan"].items():
        print(f"  {key:20} {value:,.12g}")
