"""Where the states of training runs lie: a folder for each name below ComfyUI's output folder."""

from __future__ import annotations

from pathlib import Path

import folder_paths

from ..files.output_names import check_single_name

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
    check_single_name(what, name)
    return (root or Path(folder_paths.get_output_directory())) / parent / name
