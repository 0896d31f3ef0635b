"""What a process holds, how it grows, and in how many bits two results differ."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import torch

MIB = 2**20


@dataclass(frozen=True)
class Holding:
    """What a process holds at one moment: resident memory in MiB, open file descriptors, threads."""

    mib: float
    descriptors: int
    threads: int


def holding(pid: int) -> Holding:
    """What the process `pid` holds now."""
    import psutil

    process = psutil.Process(pid)
    descriptors = process.num_fds() if hasattr(process, "num_fds") else process.num_handles()
    return Holding(process.memory_info().rss / MIB, descriptors, process.num_threads())


def settled(look: Callable[[], Holding], wanted: Holding, patience: float = 30.0) -> Holding:
    """The first holding with no more descriptors and threads than `wanted`, the last after `patience` s.

    Threads that have done their work need a moment to end.
    """
    until = time.monotonic() + patience
    while True:
        found = look()
        if (
            found.descriptors <= wanted.descriptors and found.threads <= wanted.threads
        ) or time.monotonic() > until:
            return found
        time.sleep(0.1)


def slope(points: Iterable[tuple[float, float]]) -> float:
    """The least-squares slope of y over x. Raises ValueError for points at fewer than two places."""
    points = list(points)
    if len({x for x, _ in points}) < 2:
        raise ValueError(
            f"a slope needs points at two places at least, all {len(points)} are at one; measure more often."
        )
    mean_x, mean_y = (sum(values) / len(points) for values in zip(*points, strict=True))
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / sum((x - mean_x) ** 2 for x, _ in points)


def median_step(points: Iterable[tuple[float, float]]) -> float:
    """The median slope between neighbours.

    What leaks at every prompt raises it; a pool that grows now and then does not.
    Raises ValueError for fewer than two points.
    """
    points = list(points)
    if len(points) < 2:
        raise ValueError(f"a step needs two points at least, there are {len(points)}; measure more often.")
    return statistics.median(
        (y - before) / (x - start) for (start, before), (x, y) in itertools.pairwise(points)
    )


def differing_bits(one: torch.Tensor, other: torch.Tensor) -> int:
    """In how many bits two tensors differ; all bits of the larger one where their shapes or types do."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return 8 * max(tensor.numel() * tensor.element_size() for tensor in (one, other))
    difference = one.contiguous().view(torch.uint8) ^ other.contiguous().view(torch.uint8)
    return sum(int((difference >> bit & 1).sum()) for bit in range(8))


def files_left(named: set[str], *folders: Path) -> list[str]:
    """The names of the files below these folders whose names without endings are not among `named`."""
    return sorted(
        path.name
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and path.stem not in named
    )
