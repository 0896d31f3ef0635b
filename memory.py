"""How much memory is free, and the question that is asked before anything large is taken.

Source of the files of a container's limits: the Linux kernel's
documentation, cgroup-v1/memory.rst and cgroup-v2.rst.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

GIB = 2**30
_OWN_GROUPS, _MOUNT = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")
_FILES = {  # version of cgroups -> limit, use, and of the use what the kernel gives up when it is needed
    1: ("memory.limit_in_bytes", "memory.usage_in_bytes", ("total_inactive_file", "total_active_file")),
    2: ("memory.max", "memory.current", ("inactive_file", "active_file")),
}


def check_memory(needed: int, what: str, remedy: str, free: Callable[[], int] | None = None) -> str:
    """Raises ValueError where `needed` bytes are not free, else returns what that says in words.

    what: for example "24 frames of 512x320"; remedy: for
    example "take fewer frames". free: bytes that may be taken.
    """
    there = (free or free_memory)()
    told = f"{what} need {_size(needed)} of memory and {_size(max(0, there))} are free"
    if needed > there:
        raise ValueError(f"{told}; {remedy}.")
    return told


def free_memory() -> int:
    """Bytes of memory that this process may take: what the machine
    has, or the container that it runs in, where that is less.
    """
    return min([psutil.virtual_memory().available, *container_memory()])


def container_memory(own_groups: Path = _OWN_GROUPS, mount: Path = _MOUNT) -> Iterator[int]:
    """Bytes that are left in each control group around this
    process that has a limit (Linux); none elsewhere.
    """
    try:
        lines = own_groups.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            yield from _left_in_groups(mount, path, 2)
        elif "memory" in controllers.split(","):
            yield from _left_in_groups(mount / "memory", path, 1)


def _left_in_groups(mount: Path, path: str, version: int) -> Iterator[int]:
    """Of a group and those around it. In a container the path
    may be the host's, and only the mount itself is there.
    """
    group = mount / path.strip("/")
    limit_file, use_file, given_up = _FILES[version]
    for folder in (group, *group.parents):
        try:
            limit = (folder / limit_file).read_text().strip()
            stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
            used = int((folder / use_file).read_text()) - sum(int(stat.get(key, 0)) for key in given_up)
        except (OSError, ValueError):
            continue
        if limit != "max":
            yield int(limit) - used
        if folder == mount:
            return


def _size(number: int) -> str:
    return f"{number / GIB:.2f} GiB"
