"""The candidates of votes: folders below ComfyUI's input and output folders, and their clips."""

from __future__ import annotations

import os
from pathlib import Path

import folder_paths

from ...foreign_text import printable
from ...video_io.regular_files import is_regular
from ..measuring.video_sets import OUTPUT, VIDEOS

LONGEST_TEXT = 2000
MOST_TEXT_BYTES = 65536


def list_candidates() -> list[str]:
    """Folders with clips below the input folder, and with [output] behind their names below output/."""
    found = []
    for root, mark in _roots():
        for folder, below, names in os.walk(root):
            below[:] = sorted(name for name in below if not name.startswith("."))
            if Path(folder) != root and any(_may_be_clip(name) for name in names):
                name = Path(folder).relative_to(root).as_posix()
                if _is_text(name):
                    found.append(name + mark)
    return found


def _roots() -> tuple[tuple[Path, str], tuple[Path, str]]:
    inside, out = folder_paths.get_input_directory(), folder_paths.get_output_directory()
    return (Path(os.path.abspath(inside)), ""), (Path(os.path.abspath(out)), OUTPUT)


def _may_be_clip(name: str) -> bool:
    return not name.startswith(".") and Path(name).suffix.lower() in VIDEOS


def _is_text(name: str) -> bool:
    """Whether a browser can ask for a file of this name: not where its bytes are no UTF-8."""
    try:
        name.encode("utf8")
    except UnicodeEncodeError:
        return False
    return True


def place_of(candidate: str) -> tuple[Path, str, str]:
    """The folder of a candidate, its path below ComfyUI's folder, and "input" or "output", as /view has it.

    Raises ValueError for what is no folder below these, also over a link.
    """
    (inside, _), (out, _) = _roots()
    name, root, kind = candidate, inside, "input"
    if candidate.endswith(OUTPUT):
        name, root, kind = candidate.removesuffix(OUTPUT), out, "output"
    path = Path(os.path.abspath(os.path.join(root, name))) if "\0" not in name else root
    below = folder_paths.is_within_directory(str(root), str(path)) and path.is_relative_to(root)
    if not below or path == root or not path.is_dir() or not _is_text(name):
        raise ValueError(
            f"'{printable(candidate)}' is no folder below ComfyUI's input folder or, with [output] behind its"
            " name, its output folder; put the clips there and load the page again."
        )
    return path, path.relative_to(root).as_posix(), kind


def check_candidates(candidates: list[str]) -> None:
    """Raises ValueError for fewer than two folders, for one that is there twice, or that is not allowed."""
    places = [os.path.realpath(place_of(name)[0]) for name in candidates]
    if len(places) < 2:
        raise ValueError(f"{len(places)} folders give no pair; choose at least 2.")
    if len(set(places)) < len(places):
        raise ValueError("a folder is chosen twice; choose each once.")


def clips_of(candidate: str) -> tuple[list[str], int]:
    """The names of a candidate's clips, sorted, and how many files are left out: links that lead out of
    ComfyUI's folder, what is no regular file, names that are no text. Raises ValueError as `place_of`.
    """
    path, _, kind = place_of(candidate)
    root = folder_paths.get_output_directory() if kind == "output" else folder_paths.get_input_directory()
    names, left_out = [], 0
    try:
        entries = [entry for entry in os.scandir(path) if _may_be_clip(entry.name)]
    except OSError as error:
        raise ValueError(
            f"the folder '{printable(candidate)}' cannot be read ({printable(error.strerror)}); check who may"
            " read it."
        ) from None
    for entry in entries:
        inside = not entry.is_symlink() or folder_paths.is_within_directory(root, entry.path)
        if inside and _is_text(entry.name) and is_regular(entry.path):
            names.append(entry.name)
        elif not entry.is_dir():
            left_out += 1
    return sorted(names), left_out


def text_of(candidate: str, file: str) -> str:
    """The text beside a clip, cat.txt of cat.mp4, cut to a few lines; empty where there is none."""
    path = (place_of(candidate)[0] / file).with_suffix(".txt")
    root = folder_paths.get_output_directory() if candidate.endswith(OUTPUT) else None
    if not is_regular(path) or not folder_paths.is_within_directory(
        root or folder_paths.get_input_directory(), str(path)
    ):
        return ""
    try:
        with path.open("rb") as opened:
            text = opened.read(MOST_TEXT_BYTES).decode("utf-8-sig", "replace")
    except OSError:
        return ""
    return printable(" ".join(text.split()), LONGEST_TEXT)


def clip_address(candidate: str, file: str) -> dict[str, str]:
    """What ComfyUI's /view is asked for."""
    _, subfolder, kind = place_of(candidate)
    return {"filename": file, "subfolder": subfolder, "type": kind}


def folder_stamp(candidate: str) -> int:
    """Changes when a file comes into the folder of a candidate, or goes."""
    return place_of(candidate)[0].stat().st_mtime_ns
