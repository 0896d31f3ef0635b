"""Names that files may get: which ones a file system takes, and which one comes after another."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator
from pathlib import Path

from ..foreign_text import printable

USUAL_LIMIT = 255
"""Bytes of a name that nearly every file system takes."""
WINDOWS = os.name == "nt"
DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)


def numbered(stem: str) -> Iterator[str]:
    """A name and those after it: x_00007_, x_00008_, ...; without a number x, x_00001_, x_00002_, ..."""
    yield stem
    found = re.fullmatch(r"(.*_)(\d+)_", stem, re.DOTALL)
    start, first = (found[1], int(found[2]) + 1) if found else (f"{stem}_", 1)
    for number in itertools.count(first):
        yield f"{start}{number:05}_"


def check_length(folder: Path, name: str) -> None:
    """Raises ValueError for a file name that is too long for the folder's file system."""
    try:
        limit = os.pathconf(folder, "PC_NAME_MAX")
    except (AttributeError, OSError, ValueError):  # Windows has no such question
        limit = USUAL_LIMIT
    length = len(name.encode("utf-16-le")) // 2 if WINDOWS else len(os.fsencode(name))
    if length > limit:
        raise ValueError(
            f"the file name '{printable(name, 60)}' has {length} bytes, and its folder takes at most "
            f"{limit}; make the filename_prefix {length - limit} bytes shorter (a Chinese character has 3)."
        )


def problem_of(prefix: str, windows: bool = WINDOWS) -> str:
    """What makes sub-folders and the beginning of a name unusable, with what to do; empty where they fit."""
    try:
        prefix.encode("utf8")
    except UnicodeEncodeError:
        return "holds half a character, which no file name can have; type it again"
    if "\0" in prefix:
        return "holds a zero character, which no file name can have; leave it out"
    parts = [part for part in re.split(r"[/\\]" if windows else "/", prefix) if part]
    if not parts or not parts[-1].strip("."):
        return "names no file; give a name, or a sub-folder and a name, as video/clip"
    return _problem_on_windows(parts) if windows else ""


def _problem_on_windows(parts: list[str]) -> str:
    for part in parts:
        odd = "".join(sorted({letter for letter in part if letter in '<>:"|?*' or letter < " "}))
        if odd:
            return f"holds '{printable(odd)}', which Windows takes in no file name; leave it out"
    for folder in parts[:-1]:
        if folder.strip(".") and folder != folder.rstrip(". "):
            return (
                f"has the sub-folder '{printable(folder)}'; on Windows none ends in a dot or space, leave"
                " it out"
            )
        if DEVICES.fullmatch(folder):
            return (
                f"has the sub-folder '{printable(folder)}', which is a device on Windows; choose another name"
            )
    return ""
