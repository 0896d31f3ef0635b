"""Processes that work side by side, and survive one that is killed.

A worker begins with dev.py, which gives the pack the name that it has here. It ends when its parent does.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from .job import Job

DEV = Path(__file__).resolve().parents[1] / "dev.py"
AHEAD = 2  # tasks for each worker that are handed out before they are asked for
KILLED = "it ended its worker (killed, out of memory, or a crash of a decoder); look at the video by itself"

_job: Job | None = None


class Workers:
    """Runs `job.<method>(argument)` for many arguments. count: processes; 0 = in this one."""

    def __init__(self, job: Job, count: int) -> None:
        self.job, self.count, self.pool = job, count, None

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, kind, *error) -> None:
        if kind is not None and self.pool is not None:  # a run that is stopped does not wait for long videos
            for process in list((getattr(self.pool, "_processes", None) or {}).values()):
                process.terminate()
        self._end()

    def check(self) -> None:
        """Loads what the job needs in one worker. Raises ValueError where something is missing."""
        for _ in self.run("make_ready", [None]):
            pass

    def run(
        self, method: str, arguments: Iterable, given_up: Callable[[object, str], object] | None = None
    ) -> Iterator[tuple[object, object]]:
        """(argument, result) as they are done, in any order.

        given_up(argument, why): the result of what ends its worker, also when it is alone."""
        if not self.count:
            for argument in arguments:
                yield argument, _call(self.job, method, argument)
            return
        yield from self._in_processes(method, iter(arguments), given_up)

    def _in_processes(self, method: str, arguments: Iterator, given_up) -> Iterator[tuple[object, object]]:
        under_way: dict[Future, object] = {}
        suspects: deque = deque()
        ended = False
        while True:
            while not suspects and not ended and len(under_way) < AHEAD * self.count:
                argument = next(arguments, self)
                ended = argument is self
                if not ended:
                    under_way[self._submit(method, argument)] = argument
            if suspects and not under_way:
                yield self._alone(method, suspects.popleft(), given_up)
                continue
            if not under_way:
                return
            for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                argument = under_way.pop(future)
                try:
                    yield argument, future.result()
                except BrokenProcessPool:
                    suspects.append(argument)
                    self._end()

    def _alone(self, method: str, argument: object, given_up) -> tuple[object, object]:
        """What was under way when a worker ended, once more, and by itself."""
        try:
            return argument, self._submit(method, argument).result()
        except BrokenProcessPool:
            self._end()
            if given_up is None:
                raise ValueError("a worker was ended while it loaded its models; free some memory.") from None
            return argument, given_up(argument, KILLED)

    def _submit(self, method: str, argument: object) -> Future:
        if self.pool is None:
            context = multiprocessing.get_context("spawn")
            self.pool = ProcessPoolExecutor(self.count, context, runpy.run_path, (str(DEV),))
        try:
            return self.pool.submit(in_worker, self.job, method, argument)
        except BrokenProcessPool:  # a worker was killed between two tasks
            self._end()
            return self._submit(method, argument)

    def _end(self) -> None:
        pool, self.pool = self.pool, None
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)


def in_worker(job: Job, method: str, argument: object) -> object:
    """Runs in a worker: with the job that it got first, which keeps its models."""
    global _job
    if _job is None:
        threading.Thread(target=_end_with_parent, daemon=True).start()
        import torch

        torch.set_num_threads(1)
        _job = job
    return _call(_job, method, argument)


def _call(job: Job, method: str, argument: object) -> object:
    return getattr(job, method)(*([] if argument is None else [argument]))


def _end_with_parent() -> None:
    """A killed parent leaves nobody to tell its workers."""
    multiprocessing.parent_process().join()
    os._exit(1)
