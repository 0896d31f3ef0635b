"""Many random prompts, good, bad and interrupted, against a real ComfyUI server, and what they leave behind.

Leaked are bits in which the plain checkpoint's latents differ from what they were at the beginning, memory
that grows from prompt to prompt (a slope below 0.3 MiB is well), and descriptors, threads and files that are
still there at the end. Linux only: elsewhere memory is counted in another way.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import sys
import tempfile
import time
import urllib.error
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from ..devtools.base_folder import make_base, put_demo_weights
from ..devtools.comfyui import find_comfyui
from ..devtools.server import ComfyServer
from .soak_measures import Holding, differing_bits, files_left, holding, median_step, settled, slope
from .soak_prompts import (
    ERROR,
    INTERRUPTED,
    KINDS,
    REFUSED,
    SUCCESS,
    WARM_UP,
    Case,
    make_case,
    plain_graph,
    put_inputs,
)

KEYS = (
    "leaked_bits",
    "rss_slope_mib_per_prompt",
    "rss_median_step_mib_per_prompt",
    "descriptors_left",
    "threads_left",
    "files_left",
    "surprises",
)
QUIET_EVERY = 4  # prompts between two measures
# For Linux' malloc: what is freed goes back to the system at once, and threads have no heaps of their own.
# Else memory that nobody holds stays resident, for hours more and more of it, which looks like a leak.
MALLOC = {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "131072"}
PATIENCE = 600.0  # seconds for one prompt, on a machine that has other things to do


def main(arguments: list[str]) -> dict:
    """Prints a table, or with --json one object with KEYS and more as the last line; returns that object."""
    parser = argparse.ArgumentParser(prog="bench soak", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--prompts", type=int, default=200, help="random prompts (200)")
    parser.add_argument(
        "--seed", type=int, default=None, help="what they are drawn from; else a new one, which is printed"
    )
    options = parser.parse_args(arguments)
    seed = random.randrange(10**6) if options.seed is None else options.seed
    print(f"{options.prompts} prompts of seed {seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        result = run(Path(folder), options.prompts, seed)
    if options.json:
        print(json.dumps(result))
    else:
        for key, value in result.items():
            print(f"  {key:26} {value}")
    return result


def run(folder: Path, prompts: int, seed: int) -> dict:
    """Starts a server with folders below `folder`, sends random prompts and returns what was measured.

    Raises ValueError where there are too few prompts for a slope, RuntimeError where the server ends.
    """
    if prompts < 2 * QUIET_EVERY:
        raise ValueError(
            f"prompts={prompts} must be at least {2 * QUIET_EVERY} for memory to be followed; ask for more."
        )
    started = time.monotonic()
    with serving(folder) as server:
        soak = Soak(server, seed)
        soak.warm_up()
        for number in range(prompts):
            if number % QUIET_EVERY == 0:
                soak.measure(number)
            soak.take(number)
        soak.measure(prompts)
        return soak.result(folder) | {
            "prompts": prompts,
            "seed": seed,
            "seconds": round(time.monotonic() - started, 1),
        }


@contextlib.contextmanager
def serving(folder: Path):
    """A server with the demo's models, whose temporary files go to folder/tmp."""
    base = make_base(folder / "base")
    put_demo_weights(base / "models")
    put_inputs(base)
    (folder / "tmp").mkdir()
    options = (
        "--cpu",
        "--disable-api-nodes",
        "--cache-classic",
    )  # which keeps the results of the last prompt only
    server = ComfyServer(sys.executable, find_comfyui(), base, log=folder / "server.log", options=options)
    with environment(TMPDIR=str(folder / "tmp"), **MALLOC):
        server.start()
    try:
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def environment(**changes: str):
    """The environment of programs that are started meanwhile, with these changes."""
    before = dict(os.environ)
    os.environ.update(changes)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@dataclass
class Soak:
    """The prompts of one seed and what has been seen of them."""

    server: object
    seed: int
    first: Holding | None = None  # behind the warm-up
    memory: list[tuple[int, float]] = field(default_factory=list)  # (prompts so far, MiB)
    leaked_bits: int = 0
    surprises: list[str] = field(default_factory=list)
    kinds: dict[str, int] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)  # files that histories name, without their endings

    def __post_init__(self):
        self.object_info = self.server.object_info()
        self.before = self.plain_latents()

    def warm_up(self) -> None:
        """Every kind twice, and every format: loads libraries, builds kernels, fills pools of memory."""
        for number, name in enumerate((*KINDS, *WARM_UP, *KINDS)):
            self.expect(
                make_case(name, random.Random(f"{self.seed}/warm-up/{number}"), self.object_info),
                f"warm-up {number}",
            )

    def take(self, number: int) -> None:
        """Sends prompt `number`, the same in every run of this seed; kinds take turns in a drawn order."""
        rng = random.Random(f"{self.seed}/{number}")
        order = random.Random(f"{self.seed}/{number // len(KINDS)}").sample(list(KINDS), len(KINDS))
        case = make_case(order[number % len(KINDS)], rng, self.object_info)
        self.kinds[case.kind] = self.kinds.get(case.kind, 0) + 1
        self.expect(case, f"prompt {number}")
        if rng.random() < 0.1:
            self.compare_plain()
            self.free()

    def expect(self, case: Case, which: str) -> None:
        """Runs a prompt and notes an end that is not the one it should have."""
        end, said = self.send(case)
        if end != case.end or case.words not in said:
            self.surprises.append(
                f"{which} ({case.kind}) was to end with {case.end} {case.words}: {end} {said}"
            )

    def send(self, case: Case) -> tuple[str, str]:
        """Runs a prompt and returns how it ended and what was said."""
        try:
            job = self.server.request("/prompt", {"prompt": case.graph, "client_id": uuid.uuid4().hex})[
                "prompt_id"
            ]
        except urllib.error.HTTPError as error:
            return REFUSED, error.read().decode()
        if case.end == INTERRUPTED:
            self.wait_for(lambda: self.server.request("/queue")["queue_running"], case)
            time.sleep(case.seconds)
            self.server.request("/interrupt", {})
        entry = self.wait_for(lambda: self.server.request(f"/history/{job}").get(job), case)
        self.named |= {
            Path(file["filename"]).stem
            for node in entry["outputs"].values()
            for files in node.values()
            for file in files
            if isinstance(file, dict) and "filename" in file
        }
        if entry["status"]["status_str"] == SUCCESS:
            return SUCCESS, ""
        messages = dict(entry["status"]["messages"])
        return (
            (INTERRUPTED, "")
            if "execution_interrupted" in messages
            else (ERROR, messages["execution_error"]["exception_message"])
        )

    def wait_for(self, what, case: Case):
        until = time.monotonic() + PATIENCE
        while not (found := what()):
            if self.server.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(
                    f"{case.kind}: the server ended or hangs (seed {self.seed}): {self.server.last_words(20)}"
                )
            time.sleep(0.05)
        return found

    def plain_latents(self):
        """What the plain checkpoint makes, with the weights as the prompts before have left them."""
        from safetensors.torch import load_file

        entry = self.server.prompt(plain_graph(self.object_info))
        (file,) = self.server.output_files(entry)
        latents = load_file(file)["latent_tensor"]
        file.unlink()
        return latents

    def compare_plain(self) -> None:
        self.leaked_bits += differing_bits(self.before, self.plain_latents())

    def free(self) -> None:
        """Lets the server forget results and models: it does so between the two prompts, if not before."""
        self.server.request("/free", {"unload_models": True, "free_memory": True})
        for colour in (0, 1):
            image = {
                "class_type": "EmptyImage",
                "inputs": {"width": 8, "height": 8, "batch_size": 1, "color": colour},
            }
            self.server.prompt(
                {"1": image, "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}}}
            )

    def measure(self, number: int) -> None:
        """Compares the plain latents, and looks at the server while it holds nothing of a prompt."""
        self.compare_plain()
        self.free()
        self.server.request("/history", {"clear": True})
        now = holding(self.server.process.pid)
        self.memory.append((number, now.mib))
        self.first = self.first or now

    def result(self, folder: Path) -> dict:
        last = settled(lambda: holding(self.server.process.pid), self.first)
        left = files_left(self.named, folder / "tmp", folder / "base" / "output")
        return {
            "leaked_bits": self.leaked_bits,
            "rss_slope_mib_per_prompt": round(slope(self.memory), 3),
            "rss_median_step_mib_per_prompt": round(median_step(self.memory), 3),
            "descriptors_left": max(0, last.descriptors - self.first.descriptors),
            "threads_left": max(0, last.threads - self.first.threads),
            "files_left": left,
            "surprises": self.surprises,
            "kinds": self.kinds,
            "mib": [round(mib) for _, mib in self.memory],
        }
