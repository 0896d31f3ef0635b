"""Work that a head hands out to workers over a network, event by event: how long it takes.

One head packs a unit, sends it through its own network card, and unpacks and adds what comes back. Each of
these three is one thing after another. A worker that has nothing to do gets the next unit (pull scheduling).
A step ends when all its units are back. Times are in seconds, sizes in bytes. Only the standard library.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from dataclasses import dataclass

GIGABIT = 1e9 / 8
"""Bytes a second."""


@dataclass(frozen=True)
class Work:
    """steps: one after another. units: of a step. seconds: a worker's for a unit. sent, returned: bytes of a
    unit through the head's card. read: bytes of a unit from the store of videos. head: the head's own time
    for a unit. between: its time for a step. first: bytes that a worker gets with its first unit."""

    steps: int
    units: int
    seconds: float
    sent: float = 0.0
    returned: float = 0.0
    read: float = 0.0
    head: float = 0.0
    between: float = 0.0
    first: float = 0.0

    @property
    def serial(self) -> float:
        """Seconds of one process that does all of it itself, and sends nothing."""
        return self.steps * (self.units * self.seconds + self.between)


@dataclass(frozen=True)
class Network:
    """head, store: bytes a second of the head's card (each way) and of the store of videos. latency: of a
    message, seconds."""

    head: float = float("inf")
    store: float = float("inf")
    latency: float = 0.0


@dataclass(frozen=True)
class Pool:
    """workers: how many. slow: the share of them that takes `times` as long. spread: the standard deviation
    of a unit's time, as a share of it. failures: of a worker, in an hour. missed: until a failure is known.
    restart: until a new worker is there. ahead: units that a worker holds besides the one that it does."""

    workers: int
    slow: float = 0.0
    times: float = 3.0
    spread: float = 0.0
    failures: float = 0.0
    missed: float = 5.0
    restart: float = 60.0
    ahead: int = 0


@dataclass(frozen=True)
class Outcome:
    """seconds: of all. lost: units that were done once more. sending, store: the shares of the time in which
    the head's card sends and the store gives."""

    seconds: float
    lost: int
    sending: float
    store: float


class Lane:
    """One thing after another: a card, a store, the head's own work."""

    def __init__(self) -> None:
        self.free = self.busy = 0.0

    def take(self, now: float, seconds: float) -> float:
        """When something ends that is there now and takes so long."""
        self.free = max(self.free, now) + seconds
        self.busy += seconds
        return self.free


class Worker:
    """What is known of a worker. life: goes up when it fails, so that what it did before is told apart.
    held: units that it was given and that are not back; queue: those that it has not begun."""

    def __init__(self, slowness: float) -> None:
        self.slowness, self.life = slowness, 0
        self.start()

    def start(self) -> None:
        """A new one in its place."""
        self.is_new, self.is_there, self.is_busy = True, True, False
        self.held: set[int] = set()
        self.queue: deque[int] = deque()


def simulate(work: Work, pool: Pool, network: Network, seed: int = 0) -> Outcome:
    """Runs the work once. seed: of the chance in times, in failures and in who is slow."""
    return Simulation(work, pool, network, seed).run()


def speed_up(work: Work, pool: Pool, network: Network, seeds: int = 1) -> float:
    """How many times faster than one process; the mean time of some runs counts."""
    runs = [simulate(work, pool, network, seed).seconds for seed in range(seeds)]
    return work.serial / (sum(runs) / seeds)


class Simulation:
    """One run. Events are (time, number, what, worker, life, unit)."""

    def __init__(self, work: Work, pool: Pool, network: Network, seed: int) -> None:
        self.work, self.pool, self.network = work, pool, network
        self.chance = random.Random(seed)
        slow = round(pool.slow * pool.workers)
        self.workers = [Worker(pool.times if n < slow else 1.0) for n in range(pool.workers)]
        self.chance.shuffle(self.workers)
        self.own, self.out, self.back, self.store = Lane(), Lane(), Lane(), Lane()
        self.events: list[tuple] = []
        self.number = self.lost = self.missing = 0
        self.waiting: deque[int] = deque()
        self.idle: deque[int] = deque()

    def run(self) -> Outcome:
        for number in range(self.pool.workers):
            self._expect_failure(0.0, number)
        now = 0.0
        for _ in range(self.work.steps):
            now = self._step(now) + self.work.between
        return Outcome(now, self.lost, self.out.busy / now, self.store.busy / now)

    def _step(self, now: float) -> float:
        """From when a step begins to when its last unit is added."""
        self.waiting.extend(range(self.work.units))
        self.missing = self.work.units
        self.idle = deque(n for n, worker in enumerate(self.workers) if worker.is_there)
        self._hand_out(now)
        while self.missing:
            time, _, what, number, life, unit = heapq.heappop(self.events)
            now = max(now, time)  # a worker may have failed between two steps
            if what == "missed":
                self.waiting.extendleft(unit)  # what was under way goes first
            elif life == self.workers[number].life:
                getattr(self, f"_{what}")(now, number, unit)
            self._hand_out(now)
        return now

    def _hand_out(self, now: float) -> None:
        """Gives what waits to those that have room, one unit to each of them in turn."""
        while self.waiting and self.idle:
            number = self.idle.popleft()
            worker = self.workers[number]
            if not worker.is_there or len(worker.held) > self.pool.ahead:
                continue
            unit = self.waiting.popleft()
            worker.held.add(unit)
            packed = self.own.take(now, self.work.head / 2)
            size = self.work.sent + (self.work.first if worker.is_new else 0.0)
            worker.is_new = False
            sent = self.out.take(packed, size / self.network.head)
            self._at(sent + self.network.latency, "given", number, unit)
            if len(worker.held) <= self.pool.ahead:
                self.idle.append(number)

    def _given(self, now: float, number: int, unit: int) -> None:
        self.workers[number].queue.append(unit)
        self._begin(now, number)

    def _begin(self, now: float, number: int) -> None:
        worker = self.workers[number]
        if worker.is_busy or not worker.queue:
            return
        worker.is_busy = True
        begun = self.store.take(now, self.work.read / self.network.store) if self.work.read else now
        spread = self.chance.gauss(1.0, self.pool.spread) if self.pool.spread else 1.0
        seconds = self.work.seconds * worker.slowness * max(0.1, spread)
        self._at(begun + seconds, "done", number, worker.queue.popleft())

    def _done(self, now: float, number: int, unit: int) -> None:
        self.workers[number].is_busy = False
        self._begin(now, number)
        arrived = self.back.take(now, self.work.returned / self.network.head)
        self._at(arrived + self.network.latency, "arrived", number, unit)

    def _arrived(self, now: float, number: int, unit: int) -> None:
        added = self.own.take(now, self.work.head / 2)
        self._at(added, "added", number, unit)

    def _added(self, now: float, number: int, unit: int) -> None:
        self.workers[number].held.discard(unit)
        self.missing -= 1
        self.idle.append(number)

    def _at(self, time: float, what: str, number: int, unit: object = None) -> None:
        self.number += 1
        heapq.heappush(self.events, (time, self.number, what, number, self.workers[number].life, unit))

    def _expect_failure(self, now: float, number: int) -> None:
        if self.pool.failures:
            self._at(now + self.chance.expovariate(self.pool.failures / 3600), "fails", number)

    def _fails(self, now: float, number: int, _: None) -> None:
        worker = self.workers[number]
        worker.life, worker.is_there = worker.life + 1, False
        if worker.held:
            self.lost += len(worker.held)
            self._at(now + self.pool.missed, "missed", number, sorted(worker.held, reverse=True))
        self._at(now + self.pool.restart, "there", number)

    def _there(self, now: float, number: int, _: None) -> None:
        self.workers[number].start()
        self.idle.append(number)
        self._expect_failure(now, number)
