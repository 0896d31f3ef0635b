"""The step of `bench step` at another commit of this repository: in a copy of its tree, in its own processes.

The code that measures, step_times.py, is put into that copy: both trees are measured by the same code.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from ..devtools.comfyui import find_comfyui
from ..devtools.paths import ROOT
from ..foreign_text import printable
from . import step_times
from .step_times import Times, joined, ratios

MEASURING = Path(step_times.__file__)


def compare_with_commit(folder: Path, commit: str, size: int, repeats: int, rounds: int) -> dict:
    """`ratios` of this tree and, named before_..., of the commit, and what the one is divided by the other.

    Tree and models are written below folder. Raises ValueError for a commit that cannot be had or measured.
    """
    tree = folder / "before"
    full_hash = unpack_commit(ROOT, commit, tree)
    shutil.copyfile(MEASURING, tree / "benchmarks" / MEASURING.name)
    before, ours = [], []
    for _ in range(rounds):
        try:
            before.append(times_in(tree, folder, size, repeats))
        except RuntimeError as error:
            raise ValueError(
                f"--before must be a commit whose step can be measured, {printable(commit)} cannot: {error}; "
                "choose a newer one."
            ) from None
        ours.append(times_in(ROOT, folder, size, repeats))
    return compared(ratios(joined(ours)), ratios(joined(before))) | {"before": full_hash, "rounds": rounds}


def compared(ours: dict, before: dict) -> dict:
    """Both sides' ratios in one: {"step_ratio", "before_step_ratio", "step_ratio_vs_before"}, and so on."""
    versus = {f"{key}_vs_before": round(ours[key] / before[key], 4) for key in ours if key.endswith("_ratio")}
    return ours | {f"before_{key}": value for key, value in before.items()} | versus


def unpack_commit(repository: Path, commit: str, folder: Path) -> str:
    """Writes the files of a commit below folder, and returns its full hash; the repository is only read.

    Raises ValueError where there is no git, no repository or no such commit.
    """
    if not shutil.which("git"):
        raise ValueError(
            "--before needs the program git, which is not there; install it or leave --before out."
        )
    if Path(git(repository, "rev-parse", "--show-toplevel") or os.sep).resolve() != repository.resolve():
        raise ValueError(
            f"--before needs a git repository, {repository} is none; clone the pack with git instead of "
            "unpacking it."
        )
    full_hash = git(repository, "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}")
    if not full_hash:
        raise ValueError(
            f"--before must be a commit of {repository}, it has no {printable(commit)!r}; choose one of "
            "`git log`, after `git fetch --unshallow` where the clone is shallow."
        )
    folder.mkdir(parents=True)
    archive = folder.with_suffix(".tar")
    git(repository, "archive", "--format=tar", f"--output={archive}", full_hash)
    shutil.unpack_archive(archive, folder)
    archive.unlink()
    return full_hash


def git(repository: Path, *arguments: str) -> str:
    """What git says of a repository in one line; empty where it refuses."""
    command = ["git", "-C", str(repository), *arguments]
    return subprocess.run(command, capture_output=True, text=True, errors="replace").stdout.strip()


def times_in(tree: Path, models: Path, size: int, repeats: int) -> Times:
    """`step_times` of a tree of this repository, in a process of its own.

    Raises RuntimeError with its last words where it fails.
    """
    arguments = [str(models), "--size", str(size), "--repeats", str(repeats)]
    environment = os.environ | {"ZOETROPE_INSIDE": "1", "COMFYUI_PATH": str(find_comfyui())}
    command = [sys.executable, str(tree / "dev.py"), "run", f"benchmarks.{MEASURING.stem}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", env=environment)
    if done.returncode:
        raise RuntimeError(printable((done.stderr.strip().splitlines() or ["it ended without a word"])[-1]))
    return json.loads(done.stdout.strip().splitlines()[-1])
