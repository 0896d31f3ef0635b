"""The next free name below ComfyUI's output folder, as its own savers count them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import folder_paths

from ...foreign_text import printable
from ...video_io.file_names import USUAL_LIMIT, check_length, numbered, problem_of
from ...video_io.frame_size import Size
from ...video_io.part_file import PartFile

NO_SIZE = Size(0, 0)


def next_name(filename_prefix: str, size: Size = NO_SIZE, is_kept: bool = True) -> tuple[Path, str, str]:
    """Folder, name without extension, and sub-folder of output/, as ComfyUI's own savers count them.

    is_kept: False takes the folder temp/ in its place, which ComfyUI empties when it starts.
    size: what %width% and %height% stand for in the prefix. Makes the folder. Raises ValueError for a prefix
    that leads out of output/ or that no file can have, and where its folder cannot be made.
    """
    told = f"filename_prefix='{printable(filename_prefix, 60)}'"
    if problem := problem_of(filename_prefix):
        raise ValueError(f"{told} {problem}.")
    prefix = os.path.normpath(filename_prefix)  # ComfyUI's counter starts anew where a slash ends the prefix
    try:
        root = folder_paths.get_output_directory() if is_kept else folder_paths.get_temp_directory()
        found = folder_paths.get_save_image_path(prefix, root, *size)
    except OSError as error:
        raise ValueError(
            f"{told}: its sub-folder cannot be used ({printable(error.strerror)}), because a file has that "
            f"name, it is too long, or ComfyUI may not write there; choose another sub-folder."
        ) from error
    except Exception as error:  # ComfyUI has no narrower one for it
        raise ValueError(
            f"{told} leads out of the output folder; give a name, or a sub-folder and a name, as video/clip."
        ) from error
    folder, name, counter, subfolder, _ = found
    return Path(folder), f"{name}_{counter:05}_", subfolder


def check_single_name(what: str, name: str, ending: str = "") -> None:
    """Raises ValueError where a folder or, with its ending, a file below output/ cannot have this name.
    what: the input's name in the message.
    """
    told = f"{what}='{printable(name, 60)}'"
    if problem := problem_of(name):
        raise ValueError(f"{told} {problem}.")
    if "/" in name or "\\" in name or not name.isprintable():
        raise ValueError(f"{told} must be a single name of letters, without a folder; remove the slashes.")
    length = len(f"{name}{ending}".encode())
    if length > USUAL_LIMIT:
        raise ValueError(f"{told} has {length} bytes, at most {USUAL_LIMIT}; shorten it.")


def write_to_output(filename_prefix: str, extension: str, write: Callable[[str], None]) -> Path:
    """Has a file written under the next free name below output/. write gets the path to write to.

    Raises ValueError as `next_name` does; nothing remains of a file that is not finished.
    """
    folder, stem, _ = next_name(filename_prefix)
    for name in numbered(stem):
        path = folder / f"{name}{extension}"
        check_length(folder, path.name)
        part = None if os.path.lexists(path) else PartFile.reserve(folder, name)
        if part is None:
            continue
        try:
            write(str(part.path))
            if part.publish(path):
                return path
        finally:
            part.discard()
    raise AssertionError  # numbers have no end
