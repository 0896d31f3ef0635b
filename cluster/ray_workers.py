"""Workers as Ray actors, on any number of hosts."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future

from ..foreign_text import printable
from . import messages
from .code import PACKAGE
from .connecting import PATIENCE, Cluster, ClusterError, trouble_of
from .scheduler import WATCH
from .worker import WorkerLost, WorkFailed, error_of

GRACE = 60.0
"""Seconds that other actors have for their start where one is there."""


class RayWorker:
    """One actor. Its calls are done in order; `cancel` goes beside them."""

    def __init__(self, cluster: Cluster, name: str, actor) -> None:
        self.cluster, self.name, self.actor, self._lost = cluster, name, actor, False

    @property
    def is_alive(self) -> bool:
        return not self._lost

    def submit(self, method: str, *arguments: object) -> Future:
        """Shared data is given to the actor itself, which gets it once on each host."""
        answer: Future = Future()
        try:
            plain = [None if self._is_shared(value) else value for value in arguments]
            shared = {i: value for i, value in enumerate(arguments) if self._is_shared(value)}
            reference = self.actor.call.remote(messages.pack((method, plain, list(shared))), *shared.values())
            reference.future().add_done_callback(lambda done: self._settle(answer, done))
        except Exception as error:
            answer.set_exception(self._error(error))
        return answer

    def cancel(self) -> None:
        with contextlib.suppress(Exception):
            self.actor.cancel.remote()

    def note_start(self, told: object) -> None:
        """told: the actor's first word, or why there is none: it is lost then, as one is that ends later."""
        try:
            self.cluster.ray.get(told)
        except Exception as error:
            logging.warning(f"Workers: {printable(self._error(error))}")

    def _is_shared(self, value: object) -> bool:
        return isinstance(value, self.cluster.ray.ObjectRef)

    def _settle(self, answer: Future, done: Future) -> None:
        if answer.cancelled():
            return
        with contextlib.suppress(Exception):  # cancelled meanwhile
            error = done.exception()
            if error is not None:
                answer.set_exception(self._error(error))
                return
            is_fine, value = messages.unpack(done.result())
            if is_fine:
                answer.set_result(value)
            else:
                answer.set_exception(error_of(*value, self.name))

    def _error(self, error: BaseException) -> Exception:
        of = self.cluster.ray.exceptions
        if isinstance(error, of.RayActorError | of.OutOfMemoryError | of.NodeDiedError):
            self._lost = True
            return WorkerLost(f"{self.name} has ended ({type(error).__name__})")
        told = trouble_of(self.cluster.ray, error, self.cluster.address)
        if told is not None:
            self._lost = True
            return WorkerLost(f"{self.name}: {told}")
        return WorkFailed(f"{self.name}: {printable(error)}")


class RayWorkers:
    """count actors of a cluster. settings: of each one's object; gpus: that each takes (0 = runs on CPUs)."""

    def __init__(self, cluster: Cluster, place: str, settings: dict, count: int, gpus: float = 0) -> None:
        self.cluster, self.place, self.settings, self.gpus = cluster, place, settings, gpus
        self._workers: list[RayWorker | None] = [None] * count

    def ready(self, check: Callable[[], None] = lambda: None) -> list[RayWorker]:
        """The actors that have a place on the cluster, which others may use too. Those that wait for one are
        given up after PATIENCE seconds, or where there is one to go on with, GRACE after the last that came.

        Raises ClusterError where none has one.
        """
        since, waiting = time.monotonic(), {}
        for number, worker in enumerate(self._workers):
            if worker is None or not worker.is_alive:
                self._workers[number] = worker = self._start(number)
                waiting[worker.actor.where.remote()] = number
        try:
            while waiting:
                patience = GRACE if len(waiting) < len(self._workers) else PATIENCE
                if time.monotonic() - since > patience:
                    break
                check()
                with self.cluster.errors():
                    come, _ = self.cluster.ray.wait(list(waiting), timeout=WATCH)
                since = time.monotonic() if come else since
                for one in come:
                    self._workers[waiting.pop(one)].note_start(one)
        finally:
            self._drop(waiting.values())
        found = [worker for worker in self._workers if worker is not None and worker.is_alive]
        if waiting:
            kind, where = "GPU" if self.gpus else "CPU", printable(self.cluster.address)
            told = (
                f"{len(waiting)} of {len(self._workers)} workers got no {kind} of the cluster at {where},"
                " which others use"
            )
            if not found:
                raise ClusterError(f"{told}; wait for them, add hosts, or lower workers.")
            logging.warning(f"Workers: {told}; this run goes on with {len(found)}.")
        return found

    def _drop(self, numbers: Iterable[int]) -> None:
        """Actors that got no place, or that nobody waits for, take none later."""
        for number in numbers:
            worker, self._workers[number] = self._workers[number], None
            if worker is not None:
                with contextlib.suppress(Exception):
                    self.cluster.ray.kill(worker.actor)

    def _start(self, number: int) -> RayWorker:
        ray = self.cluster.ray
        options = {"num_gpus": self.gpus} if self.gpus else {"num_cpus": 1}
        kind = ray.remote(max_restarts=0, max_task_retries=0, concurrency_groups={"beside": 1}, **options)(
            _actor_class(ray)
        )
        with self.cluster.errors():
            actor = kind.options(scheduling_strategy="SPREAD").remote(
                PACKAGE, messages.pack((self.place, self.settings))
            )
        return RayWorker(self.cluster, f"worker {number + 1} of the cluster", actor)

    def share(self, data: bytes) -> object:
        with self.cluster.errors():
            return self.cluster.ray.put(data)

    def end(self) -> None:
        workers, self._workers = self._workers, [None] * len(self._workers)
        for worker in workers:
            if worker is not None:
                with contextlib.suppress(Exception):
                    self.cluster.ray.kill(worker.actor)
        self.cluster.close()


def _actor_class(ray) -> type:
    """The class of the actors. It is sent by value: no worker has a module of the name that this one has."""

    class Actor:
        def __init__(self, package: str, start: bytes) -> None:
            import importlib

            self.messages = importlib.import_module(f"{package}.cluster.messages")
            self.worker = importlib.import_module(f"{package}.cluster.worker")
            self.start, self.made = start, None

        def call(self, packed: bytes, *shared: bytes) -> bytes:
            try:
                if self.made is None:
                    self.made = self.worker.make(*self.messages.unpack(self.start))
                method, arguments, places = self.messages.unpack(packed)
                for place, value in zip(places, shared, strict=True):
                    arguments[place] = value
                answer = True, getattr(self.made, method)(*arguments)
            except BaseException as error:
                import traceback

                traceback.print_exc()
                answer = False, self.worker.told(error)
            return self.messages.pack(answer)

        @ray.method(concurrency_group="beside")
        def cancel(self) -> None:
            if self.made is not None:
                self.made.cancel()

        @ray.method(concurrency_group="beside")
        def where(self) -> tuple[str, int]:
            import platform

            return platform.node(), os.getpid()

    Actor.__module__ = "__main__"
    return Actor
