"""All that only a GPU shows, in one command of at most eight minutes: a motion module's cost and memory, both
packs in turns, ComfyUI's dynamic VRAM, half precision, windows per batch, compiled networks, and video
networks at their published size.

Each part runs in a process of its own, with a budget of seconds. What fails or takes longer is told, and the
next part runs. `--small --device cpu` goes through every part with tiny networks, to see that it works.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from ..devtools.paths import ROOT
from ..foreign_text import printable
from .animatediff import full_path

BUDGETS = {
    "files": 40,
    "step": 35,
    "dynamic_vram": 75,
    "peer": 85,
    "half": 45,
    "windows": 40,
    "modelscope": 30,
    "svd": 40,
    "compile": 80,
}
"""Seconds of each part, which what earlier parts leave over is added to; "files" writes the models that most
of the others load.
"""
NEEDS_FILES = ("step", "dynamic_vram", "peer", "half", "windows", "compile")
PATIENCE = 10
"""Seconds in which a part that is asked to end has to."""
NO_GPU = 3
"""The exit status of a machine without one."""
FAILED = 1
"""The exit status where a part could not be measured that was asked for."""


def main(arguments: list[str]) -> dict[str, dict]:
    """Prints what each part found as it ends, or with --json one object {part: numbers} as the last line.

    A part that could not be measured has {"error": why}, one that was not asked for {"skipped": why}. Exits
    with NO_GPU or FAILED.
    """
    parser = parser_of_options()
    options = parser.parse_args(arguments)
    if options.device == "cpu" and not options.small:
        parser.error("--device cpu must go with --small: full size takes hours there; add --small.")
    if options.device == "cuda" and (trouble := trouble_with_gpu()):
        parser.exit(NO_GPU, f"bench gpu: {trouble}\n")
    if options.peer:
        check_folder(parser, options.peer)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        result = run_parts(Path(folder), options)
    if options.json:
        print(json.dumps(result), flush=True)
    if any("error" in found for found in result.values()):
        sys.exit(FAILED)
    return result


def parser_of_options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench gpu", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument(
        "--peer", metavar="PATH", type=full_path, help="folder of ComfyUI-AnimateDiff-Evolved (Linux)"
    )
    parser.add_argument("--small", action="store_true", help="tiny networks and sizes")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="cpu: with --small only")
    parts = [name for name in BUDGETS if name != "files"]
    parser.add_argument("--only", nargs="+", choices=parts, default=parts, help="these parts (all)")
    parser.add_argument(
        "--seconds", type=float, default=sum(BUDGETS.values()), help="for all parts together (470)"
    )
    return parser


def trouble_with_gpu() -> str:
    """Why no GPU can be measured here and what to do; empty where one can."""
    import torch

    if torch.cuda.is_available():
        return ""
    if torch.version.cuda is None and torch.version.hip is None:
        why = f"torch {torch.__version__} was built without one; install a build for your GPU (pytorch.org)"
    else:
        why = "torch sees none; run it where nvidia-smi lists a card"
    return f"it measures a GPU: {why}, or see every part run in small: bench gpu --small --device cpu"


def check_folder(parser: argparse.ArgumentParser, peer: Path) -> None:
    from .animatediff_packs import peer_pack

    try:
        peer_pack(peer)
    except ValueError as error:
        parser.error(str(error))


def run_parts(folder: Path, options: argparse.Namespace) -> dict[str, dict]:
    """What each part found, in the order in which they run."""
    asked = [name for name in BUDGETS if name in options.only]
    if set(asked) & set(NEEDS_FILES):
        asked.insert(0, "files")
    scale = options.seconds / sum(BUDGETS[name] for name in asked)
    until, result = time.monotonic(), {}
    for name in asked:
        begun = time.monotonic()
        until += BUDGETS[name] * scale
        result[name] = run_part(name, folder, options, until - begun, result)
        result[name]["part_seconds"] = round(time.monotonic() - begun, 1)
        if not options.json:
            print(f"{name:13} {told(result[name])}", flush=True)
    return result


def run_part(name: str, folder: Path, options: argparse.Namespace, seconds: float, before: dict) -> dict:
    """What one part found in a process of its own, or why it did not."""
    if name == "peer" and not options.peer:
        return {"skipped": "no folder of AnimateDiff-Evolved was given; add --peer PATH"}
    if name in NEEDS_FILES and "error" in before["files"]:
        return {"error": f"it needs the files, which could not be written: {before['files']['error']}"}
    if seconds <= 1:
        return {"error": f"no time was left of {options.seconds:g} s; run it alone: --only {name}"}
    flags = ["--small"] * options.small + (["--peer", str(options.peer)] if options.peer else [])
    command = [sys.executable, str(ROOT / "dev.py"), "run", "benchmarks.gpu_parts", name, str(folder), *flags]
    hidden = {"CUDA_VISIBLE_DEVICES": "", "HIP_VISIBLE_DEVICES": ""} if options.device == "cpu" else {}
    environment = os.environ | {"ZOETROPE_INSIDE": "1"} | hidden
    return answer_of(command, environment, seconds)


def answer_of(command: Sequence[str], environment: dict, seconds: float) -> dict:
    """The JSON object that a program says last, or {"error": why there is none} after `seconds` at most."""
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, env=environment,
        encoding="utf8", errors="replace",
    )  # fmt: skip
    try:
        said, complaints = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        return {"error": f"it took longer than its {seconds:.0f} s and was ended"}
    finally:
        end(process)
    if process.returncode:
        return {"error": printable(last_line(complaints) or f"it ended with status {process.returncode}")}
    return json.loads(last_line(said))


def end(process: subprocess.Popen) -> None:
    """Asks a part to end, which ends its servers first, and makes it after PATIENCE seconds."""
    if process.poll() is None:
        process.terminate()
        try:
            process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def last_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[-1]


def told(found: dict) -> str:
    """One line of what a part found."""
    return ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in found.items())
