"""Model folders of this pack and reading of model files, with errors that a person can act on."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Iterable, Mapping
from typing import Any

import comfy.utils
import folder_paths
import torch

MOTION_MODULES = "animatediff_models"
"""Folder key of motion modules; the same as AnimateDiff-Evolved's, so that existing folders are shared."""
MOTION_LORAS = "animatediff_motion_lora"

_OWN_FOLDERS = {MOTION_MODULES: ("animatediff_models", "zoetrope_motion_modules"), MOTION_LORAS: ("animatediff_motion_lora",)}


def register_model_folders() -> None:
    """Adds this pack's folders below models/ without removing what other packs or extra_model_paths.yaml put there."""
    for key, names in _OWN_FOLDERS.items():
        paths, extensions = folder_paths.folder_names_and_paths.get(key, ([], set()))
        wanted = [os.path.join(folder_paths.models_dir, name) for name in names]
        paths = list(paths) + [p for p in wanted if p not in paths]
        folder_paths.folder_names_and_paths[key] = (paths, set(extensions) | set(folder_paths.supported_pt_extensions))


def model_file_names(key: str) -> list[str]:
    """The files that a combo box lists for a folder key."""
    return folder_paths.get_filename_list(key)


def missing_file_message(key: str, name: str | None) -> str:
    """What to tell a person whose file is not there; empty when it is (or when the name comes over a link)."""
    if name is None or folder_paths.get_full_path(key, name) is not None:
        return ""
    folders = " or ".join(folder_paths.get_folder_paths(key))
    return f"the model file '{name}' was not found; put it into {folders} and press R to refresh the lists."


def find_model_file(key: str, name: str) -> str:
    """Full path of a listed file; ValueError naming folder and file when it is not there."""
    if message := missing_file_message(key, name):
        raise ValueError(message)
    return folder_paths.get_full_path(key, name)


def listed_files(keys: Iterable[str]) -> list[str]:
    """The files that a combo box lists for several folder keys; a name that two folders have stands once."""
    return sorted({name for key in keys for name in model_file_names(key)})


def missing_from_all_message(keys: Iterable[str], name: str | None) -> str:
    """`missing_file_message` for a file that may lie under any of several folder keys."""
    messages = [missing_file_message(key, name) for key in keys]
    return messages[0] if all(messages) else ""


def find_listed_file(keys: Iterable[str], name: str) -> str:
    """Full path of a file under the first of several folder keys that has it; ValueError when none has."""
    keys = list(keys)
    found = [key for key in keys if not missing_file_message(key, name)]
    return find_model_file((found or keys)[0], name)


def read_tensors(path: str, mapped: bool = False) -> Mapping:
    """`read_content` of a file of named tensors; ValueError for one that holds something else."""
    content = read_content(path, mapped)
    if not isinstance(content, Mapping):
        raise ValueError(
            f"'{os.path.basename(path)}' holds a {type(content).__name__}, not a set of named tensors; it is not a model file."
        )
    return content


def stays_in_file(path: str) -> bool:
    """Whether `read_tensors(path, mapped=True)` leaves the tensors in the file until they are used."""
    if path.lower().endswith((".safetensors", ".sft")):
        return not comfy.utils.DISABLE_MMAP
    return zipfile.is_zipfile(path)  # pickles of torch before 1.6 are something else


def read_content(path: str, mapped: bool = False) -> Any:
    """The content of a .safetensors, .ckpt, .pth, .pt or .bin file; pickles are read as plain tensors only.

    mapped: pickles stay in the file too, where their format allows it, and are read when they are used (.safetensors always are).
    Raises ValueError for empty, truncated and unreadable files and for pickles that contain code.
    """
    name = os.path.basename(path)
    size = os.path.getsize(path)
    if size == 0:
        raise ValueError(f"'{name}' is empty (0 bytes): the download did not work; download it again.")
    try:
        # ComfyUI maps pickles only when it was started with that option.
        if mapped and not path.lower().endswith((".safetensors", ".sft")) and stays_in_file(path):
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        else:
            content = comfy.utils.load_torch_file(path, safe_load=True)
    except pickle.UnpicklingError as error:
        if "weights_only" in str(error).lower() or "unsupported" in str(error).lower():
            raise ValueError(
                f"'{name}' was refused: it is a pickle that contains more than tensors and could run code on loading "
                f"({_first_line(error)}). Use a .safetensors version of the file."
            ) from error
        raise _damaged(name, size, error) from error
    except (EOFError, RuntimeError, ValueError, KeyError, OSError, AttributeError) as error:
        raise _damaged(name, size, error) from error
    except Exception as error:
        if type(error).__module__.startswith("safetensors"):
            raise _damaged(name, size, error) from error
        raise
    return content


def _damaged(name: str, size: int, error: Exception) -> ValueError:
    return ValueError(
        f"'{name}' ({size} bytes) cannot be read: it is damaged, cut off or not a model file ({_first_line(error)}). "
        f"Compare its size with the page you downloaded it from and download it again."
    )


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0][:200] or type(error).__name__
