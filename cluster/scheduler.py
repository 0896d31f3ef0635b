"""One scheduler for all transports: an idle worker takes the next unit, results come in their order.

A unit whose worker is lost goes to another one; a unit that failed is tried by one other worker; what no
worker can do is done here, if there is a way.
"""

from __future__ import annotations

import heapq
import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait

from ..foreign_text import printable
from .worker import Refused, Worker, WorkerLost, WorkFailed

WATCH = 0.1
"""Seconds between two looks at whether the run was cancelled."""
TRIES = 2
"""Workers that may fail at a unit before it is done here."""
AHEAD = 4
"""Units for each worker that may be done before an earlier one: what is held here does not grow with them."""


def wait_for(future: Future, check: Callable[[], None]) -> object:
    """The result of one call; check() is called WATCH seconds apart, and may raise."""
    while not wait([future], WATCH).done:
        check()
    return future.result()


class Run:
    """units: what is to be done, each by one call.

    submit(worker, unit): begins it there. local(unit): the result of a unit that is done here, or None where
    there is no such way. check(): called WATCH seconds apart; what it raises ends the run, and the workers
    are told to stop.
    """

    def __init__(
        self,
        workers: Sequence[Worker],
        units: Sequence,
        submit: Callable[[Worker, object], Future],
        local: Callable[[object], object] | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self.workers, self.units, self.submit, self.local, self.check = workers, units, submit, local, check
        self.waiting = list(range(len(units)))  # a heap: the earliest unit first
        self.under_way: dict[Future, tuple[Worker, int]] = {}
        self.failed: dict[int, list[tuple[Worker, str]]] = {}
        self.done: dict[int, object] = {}

    def results(self) -> Iterator[object]:
        """The result of each unit, in their order. Raises Refused, what `check` and `local` raise, and
        WorkFailed or WorkerLost where a unit is left that nobody can do.
        """
        try:
            for number in range(len(self.units)):
                while number not in self.done:
                    self._advance(number)
                yield self.done.pop(number)
        finally:
            for worker in {worker for worker, _ in self.under_way.values()}:
                worker.cancel()
            for future in self.under_way:
                future.cancel()

    def _advance(self, wanted: int) -> None:
        self.check()
        self._hand_out(wanted)
        if not self.under_way:
            self._do_here(wanted)
            return
        for future in wait(self.under_way, WATCH, FIRST_COMPLETED).done:
            worker, number = self.under_way.pop(future)
            try:
                self.done[number] = future.result()
            except Refused:
                raise
            except (WorkerLost, WorkFailed) as error:
                self._retry(worker, number, error)

    def _hand_out(self, wanted: int) -> None:
        busy = {id(worker) for worker, _ in self.under_way.values()}
        for worker in self.workers:
            if id(worker) in busy or not worker.is_alive:
                continue
            number = self._next_for(worker, wanted)
            if number is None:
                continue
            self.under_way[self.submit(worker, self.units[number])] = worker, number

    def _next_for(self, worker: Worker, wanted: int) -> int | None:
        """The earliest waiting unit that this worker has not failed at, and that is not too far ahead."""
        passed, found = [], None
        while self.waiting and found is None:
            number = heapq.heappop(self.waiting)
            tried = self.failed.get(number, [])
            if number > wanted + AHEAD * len(self.workers):
                passed.append(number)
                break
            if len(tried) >= TRIES or any(worker is other for other, _ in tried):
                passed.append(number)
            else:
                found = number
        for number in passed:
            heapq.heappush(self.waiting, number)
        return found

    def _retry(self, worker: Worker, number: int, error: Exception) -> None:
        logging.warning(f"Workers: unit {number + 1} of {len(self.units)} again: {printable(error)}")
        if isinstance(error, WorkFailed):
            self.failed.setdefault(number, []).append((worker, str(error)))
        heapq.heappush(self.waiting, number)

    def _do_here(self, wanted: int) -> None:
        """No worker has, or takes, anything: the unit that is wanted is done here."""
        if self.local is None:
            reasons = [why for _, why in self.failed.get(wanted, [])]
            if reasons:
                raise WorkFailed("; ".join(reasons))
            raise WorkerLost(f"no worker is left for unit {wanted + 1} of {len(self.units)}")
        self.waiting.remove(wanted)
        heapq.heapify(self.waiting)
        self.done[wanted] = self.local(self.units[wanted])
