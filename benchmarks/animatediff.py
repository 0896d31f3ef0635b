"""AnimateDiff at full size: what a motion module costs in a sampling step, and the memory that it takes.

SD1.5 with AnimateDiff v2, 16 frames, random weights, float32 on the CPU. Each pack has ComfyUI servers of its
own. They run plain prompts, prompts with the module and prompts of 32 frames in context windows, in turns.
Seconds are those of the processors (all threads of the server): other work on the machine hardly counts.

step_ratio is a step with the module / one without. windows_ratio is a step of 32 frames in windows of 16 that
overlap by 4 / one of 16 frames, both with the module: the number of windows, and what windows cost besides.
peak_mib is the most memory that the server has held until the first prompt with the module was done, loading
included. windows_kib_per_frame is what each frame more of a long video in windows adds to the peak, and
latent_kib_per_frame what its latents are (bench windows_memory). reuse_speedup and reuse_psnr are those of
*Reuse Deep Features* (bench reuse).

With --peer PATH AnimateDiff-Evolved does the same (peer_...), with --before COMMIT this pack at that commit
(before_...).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from ..devtools.comfyui import find_comfyui
from ..devtools.paths import PACK, ROOT

ROWS = {
    "step_ratio": "step with the motion module / without",
    "plain_seconds": "step without, s",
    "motion_seconds": "step with it, s",
    "windows_ratio": "step of 32 frames in windows 16/4 / of 16 frames",
    "peak_mib": "most memory, MiB",
}
"""What the table says of each result of a pack."""
MORE_ROWS = {
    "peer_difference": "largest difference of both packs' latents",
    "windows_kib_per_frame": "peak of 1024 frames in windows, KiB per frame",
    "latent_kib_per_frame": "latents of a frame, KiB",
    "reuse_speedup": "time without / with reused deep features",
    "reuse_psnr": "PSNR of one against the other, dB",
}
PARTS = ("step", "windows", "windows_memory", "reuse")
SIDES = {"": "", "peer_": ", AnimateDiff-Evolved", "before_": ", at that commit"}


def main(arguments: list[str]) -> dict:
    """Prints a table, or with --json one object as the last line; returns that object."""
    parser = parser_of_options()
    options = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory() as folder:
            result = measure(Path(folder), options)
    except ValueError as error:
        parser.error(str(error))
    if options.json:
        print(json.dumps(result))
    else:
        print_table(result)
    return result


def parser_of_options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench animatediff", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--size", type=positive, default=128, help="picture width and height in pixels (128)")
    parser.add_argument("--steps", type=positive, default=1, help="sampling steps of a prompt (1)")
    parser.add_argument("--rounds", type=positive, default=3, help="servers of each pack, in turns (3)")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="these measures (all)")
    parser.add_argument("--before", metavar="COMMIT", help="compare with this commit of this repository")
    parser.add_argument(
        "--peer", metavar="PATH", type=full_path, help="folder of ComfyUI-AnimateDiff-Evolved"
    )
    return parser


def full_path(text: str) -> Path:
    return Path(text).resolve()


def positive(text: str) -> int:
    """A whole number of at least 1. Raises argparse's error for others."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, {text!r} is not")
    return int(text)


def measure(folder: Path, options: argparse.Namespace) -> dict:
    """Everything that the options ask for, with files below folder. Raises ValueError for COMMIT and PATH."""
    from .animatediff_packs import check_system

    check_system()
    result = {key: getattr(options, key) for key in ("size", "steps", "rounds")}
    if {"step", "windows"} & set(options.parts):
        result |= measure_steps(folder, options)
    if "windows_memory" in options.parts:
        result |= measured_apart("windows_memory")
    if "reuse" in options.parts:
        found = measured_apart("reuse", "--json", "--settings", "2x1", "--size", str(options.size))
        result |= {key: found[key] for key in ("reuse_speedup", "reuse_psnr")}
    return result


def measure_steps(folder: Path, options: argparse.Namespace) -> dict:
    """Steps in servers of all packs. Raises ValueError for COMMIT and PATH."""
    from .animatediff_packs import Pack, compare, our_nodes, peer_pack, windowed_nodes, write_inputs
    from .commit_tree import unpack_commit

    nodes = windowed_nodes if "windows" in options.parts else our_nodes
    packs, commit = {"": Pack(PACK, ROOT, nodes)}, {}
    if options.peer:
        packs["peer_"] = peer_pack(options.peer)
    if options.before:
        commit = {"before": unpack_commit(ROOT, options.before, folder / "before")}
        packs["before_"] = Pack(f"{PACK}-before", folder / "before", nodes)
    inputs = write_inputs(folder, options.size, options.steps)
    return compare(folder, packs, inputs, options.rounds) | commit


def measured_apart(benchmark: str, *arguments: str) -> dict:
    """The numbers of another benchmark, in a process of its own, where nothing else is held."""
    environment = os.environ | {"ZOETROPE_INSIDE": "1", "COMFYUI_PATH": str(find_comfyui())}
    command = [sys.executable, str(ROOT / "dev.py"), "run", f"benchmarks.{benchmark}", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment, check=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def print_table(result: dict) -> None:
    print(f"16 frames of {result['size']} px, SD1.5 + AnimateDiff v2, full size; medians of CPU time")
    for side, what in SIDES.items():
        for key, title in ROWS.items():
            if side + key in result:
                print(f"  {title + what:80} {result[side + key]:10.4g}")
    for key, title in MORE_ROWS.items():
        if result.get(key) is not None:
            print(f"  {title:80} {result[key]:10.4g}")
    if "before" in result:
        print(f"  that commit {result['before']:>79}")
