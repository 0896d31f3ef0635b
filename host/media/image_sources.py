"""Folders of pictures and animated pictures in ComfyUI's input, output and temp folders, for Load Frames."""

from __future__ import annotations

import functools
import hashlib
import os
from pathlib import Path

import comfy.utils
import folder_paths

from ...foreign_text import printable
from ...video_io.image_files import ANIMATED, images_in, is_animated, is_image, take_animation, take_images
from ...video_io.regular_files import check_regular
from ..files.allowed_paths import find_path, path_message
from .video import FrameOptions, VideoFrames, packed


def list_image_sources() -> list[str]:
    """What the combo box offers:
    animated pictures in the input folder, and every folder below it that holds pictures.

    What cannot be looked at (a broken link, a file that has
    just gone, one that may not be read) is left out.
    """
    root = Path(folder_paths.get_input_directory())
    folders, files = [], []
    for folder, below, names in os.walk(root):
        below[:] = sorted(name for name in below if not name.startswith("."))
        here = Path(folder)
        if here == root:
            files = [name for name in names if not name.startswith(".") and _is_animated_now(here / name)]
        elif any(is_image(here / name) for name in names):
            folders.append(f"{here.relative_to(root).as_posix()}/")
    return [*sorted(folders), *sorted(files)]


def _is_animated_now(path: Path) -> bool:
    """Whether a file is an animated picture; not where it cannot be looked at."""
    if path.suffix.lower() not in ANIMATED:
        return False
    try:
        return _is_animated(str(path), path.stat().st_mtime_ns)
    except OSError:
        return False


@functools.lru_cache(maxsize=65536)
def _is_animated(path: str, changed: int) -> bool:
    """`is_animated`, asked once for each state of a file."""
    return is_animated(path)


def missing_source_message(source: str | None) -> str:
    """What to tell a person whose folder or file is not there or not allowed;
    empty when it is (or when the name comes over a link).
    """
    if source is None or folder_paths.exists_annotated_filepath(source):
        return ""
    return (
        f"'{printable(source)}' was not found in the input folder (or, with [output] or [temp] behind its"
        " name, in those); put the pictures there and press R to refresh the list."
    )


def missing_message(source: str | None, path: str | None) -> str:
    """The same for a source, or for the path that was typed in its place."""
    return path_message(path) if path else missing_source_message(source)


def find_source(source: str, typed: str | None = None) -> tuple[Path, list[Path]]:
    """The path of a source, and the picture files of a folder. typed: a path in place of the source.
    Raises ValueError for what is not there, may not be read or leads out of its folder.
    """
    if typed:
        path, source = find_path(typed), typed
    elif message := missing_source_message(source):
        raise ValueError(message)
    else:
        path = Path(folder_paths.get_annotated_filepath(source))
    if not path.is_dir():
        check_regular(path)
        return path, []
    files = images_in(path)
    for file in files:
        if not folder_paths.is_within_directory(str(path), str(file)):
            raise ValueError(
                f"'{printable(file.name)}' in '{printable(source)}' leads out of that folder; "
                "put the picture itself there."
            )
    return path, files


def fingerprint(source: str | None, typed: str | None = None) -> str:
    """Changes when the source does; a name that comes over a link is not known yet."""
    if source is None and not typed:
        return ""
    path, files = find_source(source, typed)
    states = "\n".join(map(file_state, files or [path]))
    return hashlib.sha256(states.encode("utf8", "surrogateescape")).hexdigest()


def file_state(file: Path) -> str:
    """Changes when a file does: its name, time and size."""
    try:
        found = file.stat()
    except OSError:  # gone since it was listed; reading says so
        return f"{file.name} gone"
    return f"{file.name} {found.st_mtime_ns} {found.st_size}"


def load_frames(
    source: str, folder_fps: float, options: FrameOptions, typed: str | None = None
) -> VideoFrames:
    """The wanted frames of a folder of pictures or an animated picture. typed: its path in place of `source`.
    Raises ValueError as video_io.image_files does."""
    path, files = find_source(source, typed)
    reading = options.reading(comfy.utils.ProgressBar(1).update_absolute)
    return packed(take_images(files, folder_fps, reading) if files else take_animation(path, reading))
