"""One motion module in several packs: the time of its steps and the memory that a server of each pack takes.

All packs see the same files, prompts, seeds and samplers. Their ComfyUI servers take turns.
"""

from __future__ import annotations

import re
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from ..devtools.base_folder import link_folder, make_base
from ..devtools.comfyui import find_comfyui
from ..devtools.server import ComfyServer
from .soak_measures import MIB
from .step_times import CLOCKS, FRAMES

PEER = "ComfyUI-AnimateDiff-Evolved"
PEER_NODE = "ADE_AnimateDiffLoaderGen1"
MOVING, WINDOWS = "moving", "windows"
"""The nodes that put out the MODEL with the motion module, and that with context windows."""
PATIENCE = 3600


@dataclass(frozen=True)
class Inputs:
    """What all packs are given: names of files, size of the frames in pixels, steps of the sampler."""

    checkpoint: str
    module: str
    size: int
    steps: int


@dataclass(frozen=True)
class Pack:
    """A folder of custom nodes, the name that it gets there, and its nodes in API format: MOVING, and WINDOWS
    where windows are measured.
    """

    name: str
    folder: Path
    nodes: Callable[[Inputs], dict[str, dict]]


@dataclass(frozen=True)
class Run:
    """What one server did. latents: (F, 4, H, W). seconds: of the processors, by kind of prompt."""

    peak_mib: float
    latents: torch.Tensor
    seconds: dict[str, float]


def write_inputs(folder: Path, size: int, steps: int) -> Inputs:
    """Checkpoint and module of full size, written below folder/base/models."""
    from .full_size import write_module, write_sd15_checkpoint

    inputs = Inputs("full_size_sd15.safetensors", "full_size_mm_v2.safetensors", size, steps)
    models = folder / "base" / "models"
    for name, write in (
        (f"checkpoints/{inputs.checkpoint}", write_sd15_checkpoint),
        (f"animatediff_models/{inputs.module}", write_module),
    ):
        (models / name).parent.mkdir(parents=True, exist_ok=True)
        write(models / name)
    return inputs


def compare(folder: Path, packs: Mapping[str, Pack], inputs: Inputs, rounds: int) -> dict:
    """Medians of all packs, whose files lie below folder/base/models; names begin as the pack's key does.

    Raises ValueError where a pack does not use the module.
    """
    base = make_base(folder / "base")
    for pack in packs.values():
        link_folder(base / "custom_nodes" / pack.name, pack.folder)
    runs: dict[str, list[Run]] = {side: [] for side in packs}
    for _ in range(rounds):
        for side, pack in packs.items():
            runs[side].append(run_pack(folder, pack, inputs))
    result = {f"{side}{k}": v for side, own in runs.items() for k, v in medians(own, inputs.steps).items()}
    if "peer_" in runs:
        result["peer_difference"] = float((runs[""][0].latents - runs["peer_"][0].latents).abs().max())
    return result


def medians(runs: Sequence[Run], steps: int) -> dict[str, float]:
    """What several runs of one pack took."""
    seconds = {kind: statistics.median(run.seconds[kind] for run in runs) for kind in runs[0].seconds}
    windows = {"windows_ratio": round(seconds[WINDOWS] / seconds[MOVING], 4)} if WINDOWS in seconds else {}
    return windows | {
        "step_ratio": round(seconds[MOVING] / seconds["plain"], 4),
        "plain_seconds": round(seconds["plain"] / steps, 3),
        "motion_seconds": round(seconds[MOVING] / steps, 3),
        "peak_mib": round(statistics.median(run.peak_mib for run in runs)),
    }


def check_system() -> None:
    """Raises ValueError where the memory of other processes cannot be measured."""
    if sys.platform != "linux":
        raise ValueError(
            f"bench animatediff reads the memory of processes from /proc, {sys.platform} has none; use Linux."
        )


def peer_pack(folder: Path) -> Pack:
    """AnimateDiff-Evolved in this folder. Raises ValueError where that is no folder of a custom node."""
    if not (folder / "__init__.py").is_file():
        raise ValueError(
            f"--peer must be a folder of a custom node, with an __init__.py; {folder} is none. "
            f"Clone {PEER} and give that folder."
        )
    return Pack(PEER, folder, peer_nodes)


def run_pack(folder: Path, pack: Pack, inputs: Inputs) -> Run:
    """`measure_pack` in a fresh server that has this pack as its only custom node."""
    options = ("--cpu", "--disable-api-nodes", "--whitelist-custom-nodes", pack.name)
    log = folder / f"{pack.name}.log"
    with ComfyServer(sys.executable, find_comfyui(), folder / "base", log=log, options=options) as server:
        return measure_pack(server, pack, inputs)


def measure_pack(server: Any, pack: Pack, inputs: Inputs) -> Run:
    """A prompt with the module, which loads everything, and then one of each kind.

    Raises ValueError where the pack lacks a node, or where the latents are the same without the module.
    """
    nodes = pack.nodes(inputs)
    check_nodes(server, pack.name, nodes)
    latents, _ = sample(server, graph(nodes, MOVING, inputs, 0))
    peak = peak_mib(server.process.pid)
    plain, seconds = sample(server, graph(nodes, "base", inputs, 0))
    if torch.equal(latents, plain):
        raise ValueError(
            f"{pack.name} must change the latents by its motion module, they are the same with and without "
            f"it; give a version that works with this ComfyUI (log: {server.last_words(3)})."
        )
    times = {"plain": seconds["cpu"]}
    for kind in (kind for kind in (MOVING, WINDOWS) if kind in nodes):
        times[kind] = sample(server, graph(nodes, kind, inputs, 1))[1]["cpu"]
    return Run(peak, latents, times)


def check_nodes(server: Any, pack: str, nodes: Mapping[str, dict]) -> None:
    """Raises ValueError where the server has not all nodes of a pack."""
    known = server.object_info()
    if missing := [one["class_type"] for one in nodes.values() if one["class_type"] not in known]:
        raise ValueError(
            f"{pack} must bring the node {missing[0]}, ComfyUI has not loaded it; install what the pack "
            f"requires, or give another version (log: {server.last_words(3)})."
        )


def our_nodes(inputs: Inputs) -> dict[str, dict]:
    """This pack's nodes."""
    settings = {
        "strength": 1.0, "start_percent": 0.0, "end_percent": 1.0, "beta_schedule": "auto",
        "group_norm": "auto", "frames_per_video": 0,
    }  # fmt: skip
    return {
        "module": node("ZoetropeLoadMotionModule", motion_module=inputs.module),
        MOVING: node("ZoetropeApplyMotionModule", model=["base", 0], motion_module=["module", 0], **settings),
    }


def windowed_nodes(inputs: Inputs) -> dict[str, dict]:
    """This pack's nodes, with those for context windows."""
    windows = {
        "context_length": FRAMES, "context_overlap": 4,
        "context_schedule": "standard_static", "context_stride": 1, "closed_loop": False,
        "fuse_method": "pyramid", "noise_type": "default", "windows_per_batch": 0, "frame_axis": "auto",
        "frames_per_video": 0,
    }  # fmt: skip
    given = node("ZoetropeApplyContextWindows", model=[MOVING, 0], **windows)
    return our_nodes(inputs) | {WINDOWS: given}


def peer_nodes(inputs: Inputs) -> dict[str, dict]:
    """AnimateDiff-Evolved's node for the module."""
    return {MOVING: node(PEER_NODE, model=["base", 0], model_name=inputs.module, beta_schedule="autoselect")}


def graph(nodes: Mapping[str, dict], kind: str, inputs: Inputs, seed: int) -> dict[str, dict]:
    """A prompt in API format that samples the MODEL of the node `kind`: MOVING, WINDOWS or "base", the
    checkpoint. Nodes that it does not need do not run.
    """
    sampler = {
        "model": [kind, 0], "latent_image": ["empty", 0],
        "positive": ["positive", 0], "negative": ["negative", 0], "seed": seed, "steps": inputs.steps,
        "cfg": 7.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0,
    }  # fmt: skip
    frames = 2 * FRAMES if kind == WINDOWS else FRAMES
    return {
        "base": node("CheckpointLoaderSimple", ckpt_name=inputs.checkpoint),
        "positive": node("CLIPTextEncode", text="a red ball rolls", clip=["base", 1]),
        "negative": node("CLIPTextEncode", text="blurry", clip=["base", 1]),
        "empty": node("EmptyLatentImage", width=inputs.size, height=inputs.size, batch_size=frames),
        **nodes,
        "sampled": node("KSampler", **sampler),
        "saved": node("SaveLatent", samples=["sampled", 0], filename_prefix="step"),
    }


def node(kind: str, **inputs: Any) -> dict:
    return {"class_type": kind, "inputs": inputs}


def sample(server: Any, prompt: dict[str, dict]) -> tuple[torch.Tensor, dict[str, float]]:
    """(latents (F, 4, H, W), seconds of the whole prompt by each of CLOCKS)."""
    cpu = cpu_seconds(server.process.pid)
    entry = server.prompt(prompt, patience=PATIENCE)
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
