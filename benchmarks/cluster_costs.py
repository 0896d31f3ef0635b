"""What the simulation of a cluster rests on, measured here: a message, a payload, a window, a curated video.

Letters: B batch, F frames, C channels, H height, W width of latents.
"""

from __future__ import annotations

import pickle
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

STEP_BYTES = 16 * 4 * 64 * 64 * 4
"""A window of 16 frames of 512x512 as float32 latents."""
REPEATS = 20


@dataclass(frozen=True)
class Costs:
    """message: seconds of a call to a worker process and back. byte: of the head for a byte that goes out or
    comes in (pickled, through a pipe). packing: of that, for pickle alone. window: processor seconds of the
    tiny family for a window of 16 frames, both prompts. cuts, scores, files: processor seconds of curation
    for a second of video of 1280x720. choice: of the head for a clip, from its scores to the tables.
    row, work, preview: bytes that are kept of a clip."""

    message: float
    byte: float
    packing: float
    window: float
    cuts: float
    scores: float
    files: float
    choice: float
    row: float
    work: float
    preview: float

    @property
    def curation(self) -> float:
        """Processor seconds for a second of video, all of it."""
        return self.cuts + self.scores + self.files


class Units:
    """What a worker process does in place of a network: it takes the time, and gives two results a unit."""

    def __init__(self, seconds: float = 0.0, copies: int = 2) -> None:
        self.seconds, self.copies = seconds, copies

    def do(self, unit: tuple[int, bytes]) -> list[bytes]:
        """unit: (number, the latents of a window)."""
        time.sleep(self.seconds)
        return [bytes(bytearray(unit[1])) for _ in range(self.copies)]


def measure() -> Costs:
    """All of it; a minute of an idle core."""
    message, byte = message_costs()
    curation = curation_costs()
    choice = choice_cost(curation.pop("clip"))
    return Costs(message, byte, packing_cost(), window_cost(), choice=choice, **curation)


def message_costs() -> tuple[float, float]:
    """(seconds of an empty call, of the head for each byte), of the worker processes of curation."""
    from ..curation.workers import Workers

    with Workers(Units(), 1) as workers:

        def median_of(size: int) -> float:
            taken = []
            for number in range(REPEATS):
                begun = time.perf_counter()
                for _ in workers.run("do", [(number, bytes(size))]):
                    taken.append(time.perf_counter() - begun)
            return statistics.median(taken)

        median_of(0)  # the process starts
        empty, full = median_of(0), median_of(STEP_BYTES)
    return empty, max(0.0, full - empty) / (3 * STEP_BYTES)


def packing_cost() -> float:
    """Seconds for a byte of a tensor that is pickled and read again, without a transport."""
    import torch

    latents = torch.rand(16, 4, 64, 64)
    taken = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        pickle.loads(pickle.dumps(latents, protocol=5))
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken) / STEP_BYTES


def window_cost() -> float:
    """Processor seconds of the tiny family with its motion module: 16 frames, two prompts, a step's mean."""
    import torch

    from ..demo import play
    from ..host.injection import MotionSettings, apply_motion_module

    family = play.load_family()
    model = apply_motion_module(family.model, family.motion_module, MotionSettings())

    def taken_by(steps: int) -> float:
        begun = time.process_time()
        play.sample(family, model, ["a red ball moves right"] * 16, 0, steps)
        return time.process_time() - begun

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        taken_by(1)  # the model is loaded
        return max(0.0, taken_by(4) - taken_by(1)) / 3
    finally:
        torch.set_num_threads(threads)


def curation_costs(seconds: int = 8) -> dict:
    """Fields of Costs, and the row of a `clip`: one video of 1280x720 at 24 frames a second, one process."""
    from ..curation.job import Job
    from ..curation.runner import Curation
    from ..curation.settings import Settings
    from .curation import write_pan

    found = {}
    with tempfile.TemporaryDirectory() as place:
        raw, out = Path(place) / "raw", Path(place) / "out"
        raw.mkdir()
        write_pan(raw / "pan.mp4", 24 * seconds)
        job = Job(raw, out, Settings())
        job.setup()
        curation = Curation(job)
        curation.plan()
        (source,) = curation.sources()
        begun = time.process_time()
        job.scan(source, 1)
        cut = time.process_time()
        job.scan(source)
        scored = time.process_time()
        job.export(list(job.rows(source)))
        found |= {"cuts": cut - begun, "scores": scored - cut, "files": time.process_time() - scored}
        (clip,) = job.rows(source)
        curation.run()
        sizes = {"row": ("all.jsonl",), "work": ("work/**/*.jsonl",), "preview": ("previews/**/*.*",)}
        kept = {name: sum(path.stat().st_size for pattern in patterns for path in out.glob(pattern))
                for name, patterns in sizes.items()}  # fmt: skip
    return kept | {"clip": clip} | {name: value / seconds for name, value in found.items()}


def choice_cost(clip: dict, count: int = 3000) -> float:
    """Processor seconds of the head for a clip when all is scored: list, choose, write tables and report."""
    from ..curation.job import Job
    from ..curation.rows import write_rows
    from ..curation.runner import Curation
    from ..curation.settings import Keep, Settings

    clip = {name: value for name, value in clip.items() if name != "look"}
    with tempfile.TemporaryDirectory() as place:
        raw, out = Path(place) / "raw", Path(place) / "out"
        raw.mkdir()
        for number in range(count):
            (raw / f"{number}.mp4").touch()
        job = Job(raw, out, Settings(keep=Keep(least={"motion": 1e9})))
        curation = Curation(job)
        curation.plan()
        for number, source in enumerate(curation.sources()):
            row = clip | {"id": f"{number:016x}", "source": source["source"]}
            write_rows(job.result_file(source), [row])
        begun = time.process_time()
        curation.run()
        return (time.process_time() - begun) / count
