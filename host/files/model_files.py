"""Model folders of this pack and reading of model files, with errors that a person can act on."""

from __future__ import annotations

import os
import pickle
import re
import zipfile
from collections.abc import Iterable, Mapping
from typing import Any

import comfy.utils
import folder_paths
import torch

from ...foreign_text import printable
from .file_kinds import cut_off, other_kind, runs_code
from .published_files import PublishedFile, as_downloaded, download_hint, with_workflow_names

MOTION_MODULES = "animatediff_models"
"""Folder key of motion modules; the same as AnimateDiff-Evolved's, so that existing folders are shared."""
MOTION_LORAS = "animatediff_motion_lora"
METRIC_NETWORKS = "metrics"
CAPTIONERS = "captioners"

_OWN_FOLDERS = {
    MOTION_MODULES: ("animatediff_models", "zoetrope_motion_modules"),
    MOTION_LORAS: ("animatediff_motion_lora",),
    METRIC_NETWORKS: ("metrics",),
    CAPTIONERS: ("captioners",),
}


def register_model_folders() -> None:
    """Adds this pack's folders below models/
    without removing what other packs or extra_model_paths.yaml put there.
    """
    for key, names in _OWN_FOLDERS.items():
        paths, extensions = folder_paths.folder_names_and_paths.get(key, ([], set()))
        wanted = [os.path.join(folder_paths.models_dir, name) for name in names]
        paths = list(paths) + [p for p in wanted if p not in paths]
        folder_paths.folder_names_and_paths[key] = (
            paths,
            set(extensions) | set(folder_paths.supported_pt_extensions),
        )


def model_file_names(key: str) -> list[str]:
    """The files that a combo box lists for a folder key."""
    return folder_paths.get_filename_list(key)


def missing_file_message(key: str, name: str | None, files: Iterable[PublishedFile] = ()) -> str:
    """What to tell a person whose file is not there; empty when it is (or when the name comes over a link).

    files: what is known about published files, for a sentence about where this one is.
    """
    if name is None or folder_paths.get_full_path(key, name) is not None:
        return ""
    folders = " or ".join(map(printable, folder_paths.get_folder_paths(key)))
    missing = (
        f"the model file '{printable(name)}' was not found; put it into {folders} and press R to refresh the"
        " lists."
    )
    return missing + download_hint(name, files)


def find_model_file(key: str, name: str) -> str:
    """Full path of a listed file; ValueError naming folder and file when it is not there."""
    if message := missing_file_message(key, name):
        raise ValueError(message)
    return folder_paths.get_full_path(key, name)


def listed_files(keys: Iterable[str], files: Iterable[PublishedFile] = ()) -> list[str]:
    """The files that a combo box lists for several folder keys; a name that two folders have stands once.

    files: of these, what lies there as it was downloaded is listed under its name in workflows too.
    """
    return with_workflow_names(sorted({name for key in keys for name in model_file_names(key)}), files)


def missing_from_all_message(
    keys: Iterable[str], name: str | None, files: Iterable[PublishedFile] = ()
) -> str:
    """`missing_file_message` for a file that may lie under any of several folder keys,
    also as it was downloaded.
    """
    if name is not None and as_downloaded(name, listed_files(keys), files):
        return ""
    messages = [missing_file_message(key, name, files) for key in keys]
    return messages[0] if all(messages) else ""


def find_listed_file(keys: Iterable[str], name: str, files: Iterable[PublishedFile] = ()) -> str:
    """Full path of a file under the first of several folder keys that has it; ValueError when none has.

    files: one of these is also found as it was downloaded.
    """
    keys = list(keys)
    found = [key for key in keys if not missing_file_message(key, name)]
    if not found and (place := as_downloaded(name, listed_files(keys), files)):
        return find_listed_file(keys, place)
    return find_model_file((found or keys)[0], name)


def read_tensors(path: str, mapped: bool = False) -> Mapping:
    """`read_content` of a file of named tensors; ValueError for one that holds something else."""
    content = read_content(path, mapped)
    if not isinstance(content, Mapping):
        raise ValueError(
            f"'{printable(os.path.basename(path))}' holds a {type(content).__name__}, not a set of named "
            "tensors; it is not a model file."
        )
    return content


def stays_in_file(path: str) -> bool:
    """Whether `read_tensors(path, mapped=True)` leaves the tensors in the file until they are used."""
    if path.lower().endswith((".safetensors", ".sft")):
        return not comfy.utils.DISABLE_MMAP
    return zipfile.is_zipfile(path)  # pickles of torch before 1.6 are something else


def read_content(path: str, mapped: bool = False) -> Any:
    """The content of a .safetensors, .ckpt, .pth, .pt or .bin file; pickles are read as plain tensors only.

    mapped: pickles stay in the file too, where their format allows it, and are read when they are used
    (.safetensors always are). Raises ValueError for empty, truncated and unreadable files, for other kinds of
    files and for pickles that contain code.
    """
    name = os.path.basename(path)
    try:
        size = os.path.getsize(path)
        if size == 0:
            raise ValueError(
                f"'{printable(name)}' is empty (0 bytes): the download did not work; download it again."
            )
        if kind := other_kind(path):
            raise ValueError(f"'{printable(name)}' is {kind}.")
    except OSError as error:
        raise ValueError(
            f"'{printable(name)}' cannot be opened ({printable(error.strerror)}); check the file and who may "
            "read it."
        ) from None
    try:
        return _load(path, mapped)
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        # Not chained: ComfyUI would print the raw path, and torch's advice to read pickles unprotected.
        raise ValueError(_refusal(path, name, size, error)) from None


def _load(path: str, mapped: bool) -> Any:
    # ComfyUI maps pickles only when it was started with that option.
    if mapped and not path.lower().endswith((".safetensors", ".sft")) and stays_in_file(path):
        return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    return comfy.utils.load_torch_file(path, safe_load=True)


def _refusal(path: str, name: str, size: int, error: Exception) -> str:
    """What is wrong with a file that looked like a model and could not be read."""
    if isinstance(error, pickle.UnpicklingError):
        named = re.search(r"GLOBAL ([\w.]+)", str(error))
        if named or runs_code(path):
            told = f" (it names {printable(named[1])})" if named else ""
            return (
                f"'{printable(name)}' was refused: it is a pickle that contains more than tensors and could "
                f"run code on loading{told}. Use a "
                ".safetensors version of the file."
            )
    if missing := cut_off(path):
        return (
            f"'{printable(name)}' ({size} bytes) cannot be read: it is cut off, {missing}; download it again."
        )
    if not _is_utf8(path):
        return f"'{printable(name)}' cannot be opened: its name is not UTF-8; rename it."
    about = "" if "weights_only" in str(error) else f" ({printable(error, 100)})"
    return (
        f"'{printable(name)}' ({size} bytes) cannot be read: it is damaged, cut off or not a model "
        f"file{about}. Compare its size with the page you "
        "downloaded it from and download it again."
    )


def _is_utf8(path: str) -> bool:
    """Whether a path can be given to libraries that take UTF-8 alone, as safetensors' does."""
    try:
        path.encode("utf8")
    except UnicodeEncodeError:
        return False
    return True
