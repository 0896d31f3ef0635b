"""Where the states of training runs lie: a folder for each name below ComfyUI's output folder."""

from __future__ import annotations

from pathlib import Path

import folder_paths

from ..files.output_names import check_single_name

FOLDER = "training"


def run_folder(run_name: str) -> Path | None:
    """The folder of a run; None for an empty name. Raises ValueError for a name that no folder can have."""
    name = run_name.strip()
    if not name:
        return None
    check_single_name("run_name", name)
    return Path(folder_paths.get_output_directory()) / FOLDER / name
