"""How the script ends: with a sentence, on request, or because the disk is full."""

import shutil

from . import paths

DISK_SPACE = 6e9
"""Bytes of the CPU build of torch, ComfyUI's requirements and the downloads they come from, with some air."""


class Stop(Exception):
    """Ends the script with one sentence for the person at the keyboard."""


class Terminated(KeyboardInterrupt):
    """Somebody asked this script to end, without a Ctrl-C that its child processes got too."""


def disk_is_full():
    return (
        f"The disk that holds {paths.ROOT} is full; make room for {DISK_SPACE / 1e9:.0f} GB (with torch's "
        "build for NVIDIA GPUs, Linux's default, for 14 GB: python dev.py --help says how to get another) "
        "and run this again."
    )


def check_disk_space():
    """Raises Stop where a set-up from nothing would not find room."""
    free = shutil.disk_usage(paths.HOME).free
    if free < DISK_SPACE:
        raise Stop(
            f"The disk that holds {paths.ROOT} has {free / 1e9:.1f} GB free; "
            f"the set-up needs {DISK_SPACE / 1e9:.0f} GB."
        )


def stop_if_disk_was_full(lines):
    """Raises Stop when a program that failed said in these lines that it found no room."""
    if any("No space left on device" in line or "not enough space" in line for line in lines):
        raise Stop(disk_is_full())
