"""Workers measured: what windows and seeds gain by two of them, what a step costs besides, and whether a
video survives a killed worker.

A network call of the gains sleeps, as a CPU does while a GPU works: two workers on two cores show what the
scheduler gains, and not what two processes take from each other. `real_speedup` is of the demo's own calls.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil
from safetensors.torch import load

from ..devtools.base_folder import make_base, put_demo_weights
from ..devtools.comfyui import find_comfyui
from ..devtools.paths import PACK
from ..devtools.server import ComfyServer

CHECKPOINT, MODULE = "zoetrope_tiny_sd.safetensors", "zoetrope_tiny_mm.safetensors"
LENGTH, OVERLAP, WINDOWS, SIDE = 16, 4, 4, 64
FRAMES = LENGTH + (WINDOWS - 1) * (LENGTH - OVERLAP)
SECONDS = 0.5
STEPS = 4
SLOW = '''
"""A pack of the benchmark: each call of the network takes longer."""
import time


class Slow:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"model": ("MODEL",), "seconds": ("FLOAT", {"max": 100.0})}}

    RETURN_TYPES, FUNCTION, CATEGORY = ("MODEL",), "make", "benchmark"

    def make(self, model, seconds):
        def wrapper(apply_model, arguments):
            time.sleep(seconds)
            return apply_model(arguments["input"], arguments["timestep"], **arguments["c"])

        model = model.clone()
        model.set_model_unet_function_wrapper(wrapper)
        return (model,)


NODE_CLASS_MAPPINGS = {"SlowCalls": Slow}
'''


def main(arguments: list[str]) -> dict:
    """Prints a line for each number, or with --json one object; returns that object."""
    parser = argparse.ArgumentParser(prog="bench cluster", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--kills", type=int, default=20, help="runs in which a worker is killed (20)")
    parser.add_argument("--transport", choices=("processes", "Ray"), default="processes")
    options = parser.parse_args(arguments)
    with Bench(options.transport) as bench:
        found = bench.windows() | bench.seeds() | bench.kills(options.kills)
    found["load"] = round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None
    if options.json:
        print(json.dumps(found))
    else:
        for key, value in found.items():
            print(f"  {key:24} {value}")
    return found


class Bench:
    """A server of its own, whose workers are two. transport: of the nodes of workers."""

    def __init__(self, transport: str) -> None:
        self.workers = {"transport": transport, "workers": 2, "address": "local"}
        self.folder = tempfile.TemporaryDirectory(prefix="zoetrope-cluster-")
        base = make_base(Path(self.folder.name) / "base")
        put_demo_weights(base / "models")
        (base / "custom_nodes" / "slow_calls.py").write_text(SLOW, encoding="utf8")
        options = ["--cpu", "--whitelist-custom-nodes", PACK, "slow_calls.py"]
        self.server = ComfyServer(
            sys.executable, find_comfyui(), base, log=base.parent / "server.log", options=options
        )

    def __enter__(self) -> Bench:
        os.environ.setdefault("OMP_NUM_THREADS", "1")  # of the head and the workers alike
        self.server.start()
        return self

    def __exit__(self, *error) -> None:
        self.server.stop()
        self.folder.cleanup()

    def run(self, graph: dict) -> tuple[list[bytes], float]:
        """The latents of a graph, as the bytes of each file's tensor, and its seconds."""
        begun = time.monotonic()
        entry = self.server.prompt(graph)
        seconds = time.monotonic() - begun
        files = [path.read_bytes() for path in self.server.output_files(entry)]
        return [load(file)["latent_tensor"].numpy().tobytes() for file in files], seconds

    def windows(self) -> dict:
        """window_speedup, real_speedup: seconds without workers / with them. identical: of all runs.
        overhead_ms_per_step: what a step takes beyond its share of calls.
        """
        self.run(windows_graph(0, 1, self.workers))  # workers start, and load their MODEL
        speedup, same, step = {}, [], {}
        for name, seconds in (("window_speedup", SECONDS), ("real_speedup", 0.0)):
            self.run(windows_graph(1, 1, self.workers, seconds))  # a MODEL for these calls
            plain, alone = self.run(windows_graph(2, STEPS, None, seconds))
            shared, together = self.run(windows_graph(2, STEPS, self.workers, seconds))
            speedup[name] = round(alone / together, 2)
            same.append(plain == shared)
            step[name] = together / STEPS, alone / STEPS
        call = step["real_speedup"][1] / WINDOWS + SECONDS
        overhead = step["window_speedup"][0] - math.ceil(WINDOWS / 2) * call
        return {**speedup, "identical": all(same), "overhead_ms_per_step": round(1000 * max(0, overhead), 1)}

    def seeds(self) -> dict:
        """seeds_speedup: four samplings one after another / on two workers."""
        graph = sampling(None, LENGTH, 2, SECONDS)
        alone, plain = 0.0, []
        for seed in range(1, 5):
            graph["9"]["inputs"]["seed"] = seed
            files, seconds = self.run(graph)
            plain += files
            alone += seconds
        graph["50"] = {
            "class_type": "ZoetropeRunSeedsOnWorkers",
            "inputs": {"latent": ["9", 0], "seeds": "11-12", "prompts": "", **self.workers},
        }
        graph["10"]["inputs"]["samples"] = ["50", 0]
        self.run(graph)  # each worker has its MODEL
        graph["50"]["inputs"]["seeds"] = "1-4"
        shared, together = self.run(graph)
        return {"seeds_speedup": round(alone / together, 2), "seeds_identical": plain == shared}

    def kills(self, number: int) -> dict:
        """recovered: of so many runs with a worker killed in the middle, those whose video is the same."""
        if self.workers["transport"] != "processes" or not number:
            return {}
        recovered = 0
        for count in range(number):
            plain, _ = self.run(windows_graph(100 + count, 2, None, SECONDS))
            self.killed = 0
            killer = threading.Timer(0.3 + 0.1 * count, self._kill, [count])
            killer.start()
            shared, _ = self.run(windows_graph(100 + count, 2, self.workers, SECONDS))
            killer.join()
            recovered += plain == shared and bool(self.killed)
        return {"recovered": f"{recovered}/{number}"}

    def _kill(self, count: int) -> None:
        pids = worker_pids(self.server.process.pid)
        if pids:
            self.killed = pids[count % len(pids)]
            os.kill(self.killed, signal.SIGKILL)


def worker_pids(server: int) -> list[int]:
    """The processes of a server's workers that live."""
    found = []
    for one in psutil.Process(server).children():
        with contextlib.suppress(psutil.Error):  # it has just ended
            if "process_script" in " ".join(one.cmdline()):
                found.append(one.pid)
    return found


def windows_graph(seed: int, steps: int, workers: dict | None, seconds: float = 0.0) -> dict:
    """A video of WINDOWS windows in API format."""
    graph = sampling(seed, FRAMES, steps, seconds)
    graph["5"] = {
        "class_type": "ZoetropeApplyContextWindows",
        "inputs": {
            "model": graph["9"]["inputs"]["model"], "context_length": LENGTH, "context_overlap": OVERLAP,
            "context_schedule": "standard_static", "context_stride": 1, "closed_loop": False,
            "fuse_method": "pyramid", "noise_type": "freenoise", "windows_per_batch": 1,
            "frame_axis": "auto", "frames_per_video": 0,
        },
    }  # fmt: skip
    graph["9"]["inputs"]["model"] = ["5", 0]
    if workers is not None:
        inputs = {"model": ["5", 0], **workers}
        graph["20"] = {"class_type": "ZoetropeRunWindowsOnWorkers", "inputs": inputs}
        graph["9"]["inputs"]["model"] = ["20", 0]
    return graph


def sampling(seed: int | None, frames: int, steps: int, seconds: float) -> dict:
    """Text to video with the demo's family, whose latents are saved; each call takes so much longer."""
    graph = {
        "1": ("CheckpointLoaderSimple", {"ckpt_name": CHECKPOINT}),
        "2": ("ZoetropeLoadMotionModule", {"motion_module": MODULE}),
        "4": (
            "ZoetropeApplyMotionModule",
            {
                "model": ["1", 0], "motion_module": ["2", 0], "strength": 1.0, "start_percent": 0.0,
                "end_percent": 1.0, "beta_schedule": "auto", "group_norm": "auto", "frames_per_video": 0,
            },
        ),
        "6": ("CLIPTextEncode", {"clip": ["1", 1], "text": "a red ball moving right"}),
        "7": ("CLIPTextEncode", {"clip": ["1", 1], "text": ""}),
        "8": ("EmptyLatentImage", {"width": SIDE, "height": SIDE, "batch_size": frames}),
        "9": (
            "KSampler",
            {
                "model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["8", 0],
                "seed": seed or 0, "steps": steps, "cfg": 4.0, "sampler_name": "euler",
                "scheduler": "normal", "denoise": 1.0,
            },
        ),
        "10": ("SaveLatent", {"samples": ["9", 0], "filename_prefix": "latents"}),
    }  # fmt: skip
    if seconds:
        graph["3"] = ("SlowCalls", {"model": ["4", 0], "seconds": seconds})
        graph["9"][1]["model"] = ["3", 0]
    return {key: {"class_type": name, "inputs": inputs} for key, (name, inputs) in graph.items()}
