"""Which ComfyUI is used."""

import os
import re
from pathlib import Path

from . import paths
from .ending import Stop

OLDEST_COMFYUI = (0, 30)


def is_comfyui(path):
    return (path / "main.py").is_file() and (path / "comfy").is_dir() and (path / "nodes.py").is_file()


def users_comfyui():
    """Returns the ComfyUI that COMFYUI_PATH names or that this folder is installed in, or None."""
    named = os.environ.get("COMFYUI_PATH")
    if named:
        path = Path(os.path.abspath(os.path.expanduser(named)))
        if not is_comfyui(path):
            raise Stop(
                f"COMFYUI_PATH={named} is not a ComfyUI folder (it has no main.py beside comfy/); "
                "correct it or unset it."
            )
        return path
    around = paths.ROOT.parent.parent
    return around if paths.ROOT.parent.name == "custom_nodes" and is_comfyui(around) else None


def find_comfyui():
    """Returns the ComfyUI to use as far as one is there already, or None; fetches nothing."""
    fetched = paths.HOME / "comfyui"
    return users_comfyui() or (fetched if is_comfyui(fetched) else None)


def check_comfyui_version(path):
    """Raises Stop when a ComfyUI is older than the pack allows."""
    found = re.search(r"(\d+)\.(\d+)", (path / "comfyui_version.py").read_text(encoding="utf8"))
    version = tuple(int(part) for part in found.groups()) if found else OLDEST_COMFYUI
    if version < OLDEST_COMFYUI:
        raise Stop(
            f"The ComfyUI in {path} is version {version[0]}.{version[1]}; "
            "this pack needs 0.30 or newer: update it."
        )
