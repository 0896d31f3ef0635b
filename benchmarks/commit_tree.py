"""A copy of the tree of this repository at another commit, to be measured beside this one."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from ..foreign_text import printable


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
