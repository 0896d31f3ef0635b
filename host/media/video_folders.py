"""Folders of videos: which files of them count, in which order."""

from __future__ import annotations

import os
from pathlib import Path

import folder_paths

from ...video_io.image_files import is_animated, natural_order


def has_videos(folder: Path) -> bool:
    """Whether a folder holds videos; not where it cannot be looked at."""
    try:
        return bool(videos_in(folder))
    except OSError:
        return False


def videos_in(folder: Path) -> list[Path]:
    """The videos and animated pictures of a folder, in natural order."""
    names = [entry.name for entry in os.scandir(folder) if entry.is_file() and not entry.name.startswith(".")]
    videos = set(folder_paths.filter_files_content_types(names, ["video"]))
    chosen = [name for name in names if name in videos or is_animated(folder / name)]
    return [folder / name for name in sorted(chosen, key=natural_order)]
