"""One run with a motion module in this pack and in AnimateDiff-Evolved: memory and time that each takes.

Each pack has a ComfyUI server of its own and sees the same files, prompt, seed and sampler.
"""

from __future__ import annotations

import re
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from ..devtools.base_folder import link_folder, make_base
from ..devtools.comfyui import find_comfyui
from ..devtools.paths import PACK
from ..devtools.server import ComfyServer
from .soak_measures import MIB
from .step_times import CLOCKS, FRAMES

PEER = "ComfyUI-AnimateDiff-Evolved"
PEER_NODE = "ADE_AnimateDiffLoaderGen1"
MOVING = "moving"
"""The node that puts out the MODEL with the motion module."""


@dataclass(frozen=True)
class Inputs:
    """What both packs are given: names of files, size of the frames in pixels, steps of the sampler."""

    checkpoint: str
    module: str
    size: int
    steps: int


@dataclass(frozen=True)
class Run:
    """What one server did. latents: (F, 4, H, W). ratios: time with the module / without, by clock."""

    peak_mib: float
    latents: torch.Tensor
    ratios: dict[str, float]


def compare_with_peer(folder: Path, peer: Path, size: int, steps: int, rounds: int) -> dict:
    """Medians of both packs at full size, which take turns; the files are written below `folder`.

    Raises ValueError where `peer` is no AnimateDiff-Evolved, or where a pack does not use the module.
    """
    from .full_size import write_module, write_sd15_checkpoint

    check_peer(peer)
    inputs = Inputs("full_size_sd15.safetensors", "full_size_mm_v2.safetensors", size, steps)
    models = folder / "base" / "models"
    for name, write in (
        (f"checkpoints/{inputs.checkpoint}", write_sd15_checkpoint),
        (f"animatediff_models/{inputs.module}", write_module),
    ):
        (models / name).parent.mkdir(parents=True, exist_ok=True)
        write(models / name)
    return compare_files(folder, peer, inputs, rounds)


def compare_files(folder: Path, peer: Path, inputs: Inputs, rounds: int) -> dict:
    """`compare_with_peer` with files that lie below folder/base/models."""
    base = make_base(folder / "base")
    link_folder(base / "custom_nodes" / PEER, peer)
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(run_pack(folder, PACK, our_nodes(inputs), inputs))
        theirs.append(run_pack(folder, PEER, peer_nodes(inputs), inputs))
    result = medians(ours) | {f"peer_{key}": value for key, value in medians(theirs).items()}
    difference = float((ours[0].latents - theirs[0].latents).abs().max())
    return result | {"peer_difference": difference, "steps": inputs.steps, "rounds": rounds}


def medians(runs: Sequence[Run]) -> dict[str, float]:
    """What several runs of one pack took."""
    wall, cpu = (statistics.median(run.ratios[clock] for run in runs) for clock in CLOCKS)
    peak = statistics.median(run.peak_mib for run in runs)
    return {"peak_mib": round(peak), "run_ratio": round(wall, 4), "run_cpu_ratio": round(cpu, 4)}


def check_peer(peer: Path) -> None:
    """Raises ValueError where `peer` is no folder of a custom node, or memory cannot be measured."""
    if sys.platform != "linux":
        raise ValueError(
            f"--peer reads the memory of processes from /proc, {sys.platform} has none; use Linux."
        )
    if not (peer / "__init__.py").is_file():
        raise ValueError(
            f"--peer must be a folder of a custom node, with an __init__.py; {peer} is none. "
            f"Clone {PEER} and give that folder."
        )


def run_pack(folder: Path, pack: str, nodes: Mapping[str, dict], inputs: Inputs) -> Run:
    """`measure_pack` in a fresh server that has this pack as its only custom node."""
    options = ("--cpu", "--disable-api-nodes", "--whitelist-custom-nodes", pack)
    log = folder / f"{pack}.log"
    with ComfyServer(sys.executable, find_comfyui(), folder / "base", log=log, options=options) as server:
        return measure_pack(server, pack, nodes, inputs)


def measure_pack(server: Any, pack: str, nodes: Mapping[str, dict], inputs: Inputs) -> Run:
    """A run with the module, which loads everything, one without, and one with it again.

    Raises ValueError where the pack lacks a node, or where the latents are the same without the module.
    """
    check_nodes(server, pack, nodes)
    latents, _ = sample(server, graph(nodes, inputs, 0))
    peak = peak_mib(server.process.pid)
    plain, plain_seconds = sample(server, graph({}, inputs, 0))
    _, motion_seconds = sample(server, graph(nodes, inputs, 1))
    if torch.equal(latents, plain):
        raise ValueError(
            f"{pack} must change the latents by its motion module, they are the same with and without it; "
            f"give a version that works with this ComfyUI (log: {server.last_words(3)})."
        )
    return Run(peak, latents, {clock: motion_seconds[clock] / plain_seconds[clock] for clock in CLOCKS})


def check_nodes(server: Any, pack: str, nodes: Mapping[str, dict]) -> None:
    """Raises ValueError where the server has not all nodes of a pack."""
    known = server.object_info()
    if missing := [one["class_type"] for one in nodes.values() if one["class_type"] not in known]:
        raise ValueError(
            f"{pack} must bring the node {missing[0]}, ComfyUI has not loaded it; install what the pack "
            f"requires, or give another version (log: {server.last_words(3)})."
        )


def our_nodes(inputs: Inputs) -> dict[str, dict]:
    """This pack's nodes that put the module on the MODEL, in API format."""
    settings = {
        "strength": 1.0, "start_percent": 0.0, "end_percent": 1.0, "beta_schedule": "auto",
        "group_norm": "auto", "frames_per_video": 0,
    }  # fmt: skip
    return {
        "module": node("ZoetropeLoadMotionModule", motion_module=inputs.module),
        MOVING: node("ZoetropeApplyMotionModule", model=["base", 0], motion_module=["module", 0], **settings),
    }


def peer_nodes(inputs: Inputs) -> dict[str, dict]:
    """AnimateDiff-Evolved's node for the same."""
    return {MOVING: node(PEER_NODE, model=["base", 0], model_name=inputs.module, beta_schedule="autoselect")}


def graph(nodes: Mapping[str, dict], inputs: Inputs, seed: int) -> dict[str, dict]:
    """A prompt in API format, without motion where there are no `nodes`."""
    sampler = {
        "model": [MOVING if nodes else "base", 0], "latent_image": ["empty", 0],
        "positive": ["positive", 0], "negative": ["negative", 0], "seed": seed, "steps": inputs.steps,
        "cfg": 7.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0,
    }  # fmt: skip
    return {
        "base": node("CheckpointLoaderSimple", ckpt_name=inputs.checkpoint),
        "positive": node("CLIPTextEncode", text="a red ball rolls", clip=["base", 1]),
        "negative": node("CLIPTextEncode", text="blurry", clip=["base", 1]),
        "empty": node("EmptyLatentImage", width=inputs.size, height=inputs.size, batch_size=FRAMES),
        **nodes,
        "sampled": node("KSampler", **sampler),
        "saved": node("SaveLatent", samples=["sampled", 0], filename_prefix="step"),
    }


def node(kind: str, **inputs: Any) -> dict:
    return {"class_type": kind, "inputs": inputs}


def sample(server: Any, prompt: dict[str, dict]) -> tuple[torch.Tensor, dict[str, float]]:
    """(latents (F, 4, H, W), seconds of the whole prompt by each of CLOCKS)."""
    cpu = cpu_seconds(server.process.pid)
    entry = server.prompt(prompt, patience=3600)
    cpu = cpu_seconds(server.process.pid) - cpu
    times = {kind: what["timestamp"] for kind, what in entry["status"]["messages"]}
    wall = (times["execution_success"] - times["execution_start"]) / 1000  # of milliseconds
    latents = load_file(server.output_files(entry)[-1])["latent_tensor"]
    return latents, dict(zip(CLOCKS, (wall, cpu), strict=True))


def cpu_seconds(pid: int) -> float:
    """The processors' time that a process has taken so far."""
    import psutil

    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def peak_mib(pid: int) -> float:
    """The most memory that a process has held so far, in MiB; Linux only."""
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())[1]) * 1024 / MIB
