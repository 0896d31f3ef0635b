"""The workers that are there: started for the first run that wants them, kept for the next."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import comfy.model_management
import folder_paths
import torch

from ...cluster.connecting import LOCAL, Cluster, connect, refusal_of
from ...cluster.processes import ProcessWorkers
from ...cluster.ray_workers import RayWorkers
from ...cluster.worker import Workers
from ...foreign_text import printable
from .allowed_clusters import address_message
from .comfy_start import settings_of_head

PLACE = "host.cluster.comfy_worker:ComfyWorker"
PROCESSES, RAY = "processes", "Ray"
TRANSPORTS = (PROCESSES, RAY)
LOOK_EVERY, MISSES = 5.0, 3
"""Seconds between two looks at a cluster, and how many in a row it may miss."""


@dataclass(frozen=True)
class WorkerSettings:
    """transport: one of TRANSPORTS. workers: how many. address: of a Ray cluster; see `connect`."""

    transport: str = PROCESSES
    workers: int = 2
    address: str = LOCAL

    def __post_init__(self) -> None:
        if self.transport not in TRANSPORTS:
            raise ValueError(
                f"transport='{printable(self.transport)}' must be one of {', '.join(TRANSPORTS)}; choose one."
            )
        if not 1 <= self.workers <= 1000:
            raise ValueError(f"workers={self.workers} must be 1 to 1000; give one for each GPU.")
        if self.transport == RAY and (told := address_message(self.address)):
            raise ValueError(told)

    @property
    def key(self) -> tuple:
        """What tells kept workers from others: the address says nothing where there is no cluster."""
        return self.transport, self.workers, self.address if self.transport == RAY else ""

    @property
    def by_content(self) -> bool:
        """Whether files of the head and of workers are compared by content: they may be other files."""
        return self.transport == RAY


_lock = threading.RLock()
_kept: tuple[tuple, Workers] | None = None
_runs, _ends_after_them = 0, False


def workers_of(settings: WorkerSettings) -> Workers:
    """The workers of these settings; others that are kept end first.

    Raises ValueError (ClusterError) where they cannot be had.
    """
    global _kept
    with _lock:
        if _kept is not None and _kept[0] != settings.key:
            _end()
        if _kept is None:
            _kept = settings.key, (_processes if settings.transport == PROCESSES else _actors)(settings)
        return _kept[1]


@contextlib.contextmanager
def in_use() -> Iterator[None]:
    """Within a run, which no other ends the workers of."""
    global _runs
    with _lock:
        _runs += 1
    try:
        yield
    finally:
        with _lock:
            _runs -= 1
            if not _runs and _ends_after_them:
                _end()


def end_workers() -> None:
    """Ends what is kept; the next run starts anew."""
    with _lock:
        _end()


def end_idle_workers() -> None:
    """Ends what is kept, after the run that is under way, if there is one."""
    global _ends_after_them
    with _lock:
        _ends_after_them = _kept is not None
        if not _runs:
            _end()


def _end() -> None:
    global _kept, _ends_after_them
    kept, _kept, _ends_after_them = _kept, None, False
    if kept is not None:
        kept[1].end()


def _processes(settings: WorkerSettings) -> Workers:
    gpus = _gpus() if comfy.model_management.get_torch_device().type == "cuda" else []
    most = max(len(gpus), os.cpu_count() or 1)
    if settings.workers > most:
        raise ValueError(
            f"workers={settings.workers} must be at most {most} processes on this machine, which has"
            f" {len(gpus)} GPUs and {os.cpu_count()} processors; each holds a MODEL of its own. Lower it."
        )
    environments = [
        {"CUDA_VISIBLE_DEVICES": gpus[number % len(gpus)]} if gpus else {}
        for number in range(settings.workers)
    ]
    start = {"settings": settings_of_head(), "by_content": False}
    return ProcessWorkers(PLACE, start, environments, Path(folder_paths.get_temp_directory()) / "workers")


def _gpus() -> list[str]:
    """What CUDA_VISIBLE_DEVICES calls the GPUs that this ComfyUI sees: it may have been given a few."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = visible.split(",") if visible else map(str, range(torch.cuda.device_count()))
    return [name.strip() for name in names][: torch.cuda.device_count()]


def _actors(settings: WorkerSettings) -> Workers:
    start = {"settings": settings_of_head(), "by_content": True}
    count, on_gpu = settings.workers, comfy.model_management.get_torch_device().type == "cuda"
    cluster = connect(
        settings.address, Path(start["settings"]["comfyui"]), num_cpus=None if on_gpu else count + 1
    )
    kind = "GPU" if on_gpu else "CPU"
    there = int(cluster.ray.cluster_resources().get(kind, 0))
    if there < count:
        cluster.close()
        raise ValueError(
            f"workers={count} is more than the {there} {kind}s of the cluster at"
            f" {printable(settings.address)}; lower it, or add hosts."
        )
    workers = RayWorkers(cluster, PLACE, start, count, gpus=1 if on_gpu else 0)
    threading.Thread(target=_watch, args=(cluster, workers), daemon=True).start()
    return workers


def _watch(cluster: Cluster, workers: Workers) -> None:
    """Closes the connection to a cluster that is gone: Ray would take a processor to look for it."""
    head, misses = cluster.head, 0
    while misses < MISSES:
        time.sleep(LOOK_EVERY)
        with _lock:
            if _kept is None or _kept[1] is not workers:
                return
        misses = 0 if refusal_of(head) is None else misses + 1
    logging.warning(f"Workers: the Ray cluster at {printable(cluster.address)} is gone.")
    end_idle_workers()
