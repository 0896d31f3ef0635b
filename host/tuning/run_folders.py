"""Where the states of training runs lie: a folder for each name below ComfyUI's output folder."""

from __future__ import annotations

from pathlib import Path

import folder_paths

from ...foreign_text import printable
from ...video_io.file_names import USUAL_LIMIT, problem_of

FOLDER = "training"


def run_folder(run_name: str) -> Path | None:
    """The folder of a run; None for an empty name. Raises ValueError for a name that no folder can have."""
    return named_folder(run_name, FOLDER, "run_name")


def named_folder(given: str, parent: str, what: str, root: Path | None = None) -> Path | None:
    """The folder of a name in a folder of output/, or of another root; None for an empty one. what: the
    input, for messages.

    Raises ValueError for a name that no folder can have."""
    name = given.strip()
    if not name:
        return None
    told = f"{what}='{printable(given, 60)}'"
    if problem := problem_of(name):
        raise ValueError(f"{told} {problem}.")
    if "/" in name or "\\" in name or not name.isprintable():
        raise ValueError(f"{told} must be a single name of letters, without a folder; remove the slashes.")
    if len(name.encode("utf8")) > USUAL_LIMIT:
        raise ValueError(f"{told} has {len(name.encode('utf8'))} bytes, at most {USUAL_LIMIT}; shorten it.")
    return (root or Path(folder_paths.get_output_directory())) / parent / name
