"""Paths that people type: below ComfyUI's own folders, or below folders that its owner allowed.

The allowed ones stand in a file of ComfyUI's user folder that no route of ComfyUI reads or writes; there are
none at first. Nothing outside is looked at: a path is compared as text before the disk is asked, so that no
message tells what is there, and no network folder is visited.
"""

from __future__ import annotations

import ntpath
import os
from pathlib import Path

import folder_paths

from ...foreign_text import printable
from ...video_io.regular_files import check_regular
from . import owner_settings

FILE = "allowed_folders.txt"
LONGEST = 4096


def settings_file() -> Path:
    """Where the allowed folders stand, one in each line; # begins a comment."""
    return owner_settings.settings_file(FILE)


def allowed_folders() -> list[str]:
    """The folders of the settings file, none where there is no such file.
    Raises ValueError for a line that is no whole path, and for a file that cannot be read.
    """
    found = []
    for number, line in owner_settings.lines_of(FILE):
        folder = os.path.expanduser(_bare(line))
        if not os.path.isabs(folder) or "\0" in folder:
            raise ValueError(
                f"line {number} of {_shown()} is '{printable(folder, 60)}', which is no whole path; write it"
                " from the root on, or put # before it."
            )
        found.append(folder)
    return found


def find_path(path: str) -> Path:
    """The file or folder that a person typed, without links: relative to the input folder, or whole.

    Raises ValueError for what is not there, is no file or folder, or is not below a folder that may be read.
    """
    told = f"'{printable(path, 120)}'"
    name = _bare(path)
    if not name:
        raise ValueError("path is empty; type a path, such as clip.mp4 for a file of the input folder.")
    if "\0" in name or len(name) > LONGEST:
        raise ValueError(f"{told} is no path that a file can have; correct it.")
    if "://" in name or name.lower().startswith("file:"):
        raise ValueError(f"{told} is an address, and only files are read; download it into the input folder.")
    if ntpath.splitdrive(name)[0] and not os.path.isabs(name):  # of another system, or of a drive's own place
        raise ValueError(_refused(told))
    whole = os.path.abspath(os.path.join(folder_paths.get_input_directory(), os.path.expanduser(name)))
    roots = [
        folder_paths.get_input_directory(),
        folder_paths.get_output_directory(),
        folder_paths.get_temp_directory(),
    ]
    root = _root_of(whole, roots) or _root_of(whole, allowed_folders())
    if root is None or not folder_paths.is_within_directory(root, whole):
        raise ValueError(_refused(told))
    real = Path(os.path.realpath(whole))
    if not real.exists():
        raise ValueError(f"{told} was not found; correct the path, or put the file there.")
    check_regular(real)
    return real


def path_message(path: str | None) -> str:
    """What to tell a person whose path cannot be read, before a run;
    empty when it can (or when the path comes over a link).
    """
    try:
        if path is not None:
            find_path(path)
    except ValueError as error:
        return str(error)
    return ""


def _bare(text: str) -> str:
    """Without blanks around, and the quotes that *Copy as path* puts."""
    text = text.strip()
    is_quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
    return text[1:-1].strip() if is_quoted else text


def _root_of(whole: str, roots: list[str]) -> str | None:
    """The first folder that the path is below, by their texts alone."""
    for root in roots:
        if _is_below(whole, root) or _is_below(whole, os.path.realpath(root)):
            return root
    return None


def _is_below(whole: str, root: str) -> bool:
    parts, wanted = (os.path.normcase(os.path.abspath(p)).split(os.sep) for p in (whole, root))
    while wanted and not wanted[-1]:  # the root itself ends with a separator
        wanted.pop()
    return parts[: len(wanted)] == wanted


def _refused(told: str) -> str:
    return (
        f"{told} is not below a folder that may be read. Files are read from the input folder, and from"
        f" folders that the person who runs ComfyUI writes into {_shown()}, one in each line; put the file"
        " into the input folder, or have its folder written there."
    )


def _shown() -> str:
    return owner_settings.shown_file(FILE)
