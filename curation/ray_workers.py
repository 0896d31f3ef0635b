"""The workers of curation on a Ray cluster: one actor for each, which takes a video when it has none.

They read the videos and write the results where this program does, so all hosts mount the same folders at the
same paths. Each call checks that: a folder that is not mounted looks like an empty one.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..cluster.connecting import REACHABLE, Cluster, ClusterError
from ..foreign_text import printable
from .export import WORK
from .job import Job
from .rows import source_id
from .settings import Settings
from .workers import KILLED

TRIES = 3
"""So often a video may end its worker before it is given up; a host that fails is no fault of the video."""
PATIENCE, GRACE = 120.0, 5.0
"""Seconds in which the first worker has to be there, whose process loads its models, and the others more."""
LOOK_EVERY, AWAY, SOON = 1.0, 10.0, 0.2
"""Seconds between looks at the cluster, for which its head may be silent, and until it is asked again."""


@dataclass(frozen=True)
class Missing:
    """host does not see file, which the head sees."""

    host: str
    file: str

    def __str__(self) -> str:
        return (
            f"the host {printable(self.host)} does not see '{printable(self.file, 400)}', which this one"
            " sees; put it into a folder that all hosts share, and mount that at the same path everywhere."
        )


@dataclass(frozen=True)
class Shared:
    """What a host must see. proof: a file that the head wrote into the data set, and its text. weights: the
    files of weights, each with what tells it from others."""

    proof: str
    text: str
    folder: str
    weights: dict[str, str]

    @classmethod
    def of(cls, job: Job) -> Shared:
        """What the hosts of a job must see; writes the proof."""
        proof = job.out / WORK / f"seen-by-all-{secrets.token_hex(8)}"
        proof.parent.mkdir(parents=True, exist_ok=True)
        proof.write_text(proof.name, encoding="utf8")
        weights = {str(path): source_id("", path) for path in weight_files(job.settings)}
        return cls(str(proof), proof.name, str(job.folder), weights)

    def missing(self) -> Missing | None:
        """What this host lacks."""
        if not self.is_mounted():
            return Missing(host_name(), self.proof)
        if not os.path.isdir(self.folder):
            return Missing(host_name(), self.folder)
        for path, told in self.weights.items():
            if not os.path.isfile(path) or source_id("", Path(path)) != told:
                return Missing(host_name(), path)
        return None

    def is_mounted(self) -> bool:
        """Whether the folder of the data set is the head's."""
        try:
            return Path(self.proof).read_text(encoding="utf8") == self.text
        except OSError:
            return False


class Hand:
    """The actor: a worker on some host."""

    def __init__(self, job: Job, shared: Shared) -> None:
        import torch

        torch.set_num_threads(1)
        self.job, self.shared = job, shared

    def prepare(self) -> Missing | str | None:
        """Loads the models; what is missing."""
        missing = self.shared.missing()
        if missing is not None:
            return missing
        try:
            self.job.make_ready()
        except ValueError as error:
            return f"on the host {printable(host_name())}: {printable(error, 1000)}"
        return None

    def call(self, method: str, argument: object, is_sure: bool) -> object:
        """job.method(argument), or Missing. is_sure: the video itself is looked for by the job only."""
        if not self.shared.is_mounted():
            return Missing(host_name(), self.shared.proof)
        for row in argument if isinstance(argument, list) else [argument]:
            path = os.path.join(self.shared.folder, row["source"])
            if not is_sure and not os.path.lexists(path):
                return Missing(host_name(), path)
        return getattr(self.job, method)(argument)


@dataclass
class Task:
    """A call that is to be done. tries: workers that it has ended. is_sure: the head lacks the video too."""

    argument: object
    tries: int = 0
    is_sure: bool = False


@dataclass
class Calls:
    """Of one `run`: what waits, and who does what. begun: the calls under way, by Ray's reference."""

    method: str
    arguments: Iterator
    again: deque[Task] = field(default_factory=deque)
    begun: dict = field(default_factory=dict)
    is_empty: bool = False

    def next(self) -> Task | None:
        """What is to be done next, what ended its worker first."""
        if self.again:
            return self.again.popleft()
        if not self.is_empty:
            for argument in self.arguments:
                return Task(argument)
            self.is_empty = True
        return None


class RayWorkers:
    """As Workers, on a cluster. count: workers; 0 = as many as it has processors, also when it grows."""

    def __init__(self, job: Job, cluster: Cluster, count: int = 0, told: Callable[[str], None] = str) -> None:
        self.job, self.cluster, self.count, self.told = job, cluster, count, told
        self.ray = cluster.ray
        self.starting: dict = {}  # reference of `prepare` -> actor
        self.first: set = set()  # those of them that no worker went before
        self.idle: deque = deque()
        self.busy: set = set()
        self.looked, self.heard = 0.0, time.monotonic()
        self.is_away = False
        client = cluster.address.startswith("ray://")
        self.head = cluster.address[6:] if client else self.ray.get_runtime_context().gcs_address

    def __enter__(self) -> RayWorkers:
        self.shared = Shared.of(self.job)
        return self

    def __exit__(self, *error) -> None:
        Path(self.shared.proof).unlink(missing_ok=True)
        if not self.is_away:
            for actor in (*self.starting.values(), *self.idle, *self.busy):
                self.ray.kill(actor)

    def check(self) -> None:
        """Waits for the first workers. Raises ValueError where a host lacks something."""
        until = time.monotonic() + PATIENCE
        with self.cluster.errors():
            self._hire()
            self.first = set(self.starting)
            while self.starting and time.monotonic() < until:
                self._welcome(SOON)
                self._look()
                if self.idle:  # the others may wait for processors that are taken
                    until = min(until, time.monotonic() + GRACE)
            if not self.idle:
                raise ClusterError(
                    f"no worker could start in {PATIENCE:.0f} s: the cluster has"
                    f" {self.ray.available_resources().get('CPU', 0):g} of"
                    f" {self.ray.cluster_resources().get('CPU', 0):g} processors free; wait until others are"
                    " done, or add hosts."
                )

    def run(
        self, method: str, arguments: Iterable, given_up: Callable[[object, str], object]
    ) -> Iterator[tuple[object, object]]:
        """(argument, result) as they are done, in any order; see Workers.run."""
        calls = Calls(method, iter(arguments))
        if not self.idle:
            self.check()
        with self.cluster.errors():
            while True:
                self._hand_out(calls)
                if not calls.begun and calls.is_empty and not calls.again:
                    return
                if not calls.begun and not self.starting:  # all have ended
                    if self._look():
                        self._hire()
                    else:
                        time.sleep(SOON)
                    continue
                yield from self._collect(calls, given_up)
                if self._look():
                    self._hire()

    def _hand_out(self, calls: Calls) -> None:
        while self.idle and (task := calls.next()):
            actor = self.idle.popleft()
            self.busy.add(actor)
            reference = actor.call.remote(calls.method, task.argument, task.is_sure)
            calls.begun[reference] = actor, task

    def _collect(self, calls: Calls, given_up) -> Iterator[tuple[object, object]]:
        """What is done by now; waits a moment where nothing is."""
        waited = [*calls.begun, *self.starting]
        done, _ = self.ray.wait(waited, timeout=LOOK_EVERY)
        done, _ = self.ray.wait(waited, num_returns=len(waited), timeout=0)
        for reference in done:
            if reference in self.starting:
                continue
            actor, task = calls.begun.pop(reference)
            self.busy.discard(actor)
            try:
                result = self.ray.get(reference)
            except self.ray.exceptions.RayTaskError as error:
                raise error.cause from error  # a full disk; what a stage raises is an error in its row
            except (self.ray.exceptions.RayActorError, self.ray.exceptions.OutOfMemoryError):
                task.tries += 1
                if task.tries < TRIES:
                    calls.again.append(task)
                else:
                    yield task.argument, given_up(task.argument, KILLED)
                continue
            if not isinstance(result, Missing):
                self.idle.append(actor)
                yield task.argument, result
            elif os.path.lexists(result.file):
                self._lose(actor, result)
                calls.again.append(task)
            else:
                self.idle.append(actor)
                calls.again.append(Task(task.argument, task.tries, is_sure=True))
        self._welcome()

    def _lose(self, actor, missing: Missing) -> None:
        """A host that lost a shared folder gets nothing more. Raises ClusterError for the last one."""
        self.ray.kill(actor)
        self.count = len(self.idle) + len(self.busy)  # and no new worker in its place
        if not self.idle and not self.busy:
            raise ClusterError(str(missing))
        self.told(str(missing))

    def _welcome(self, seconds: float = 0.0) -> None:
        """Workers that are ready get work. What one of the first lacks ends the run."""
        if not self.starting:
            return
        ready, _ = self.ray.wait(list(self.starting), num_returns=len(self.starting), timeout=seconds)
        for reference in ready:
            actor, is_first = self.starting.pop(reference), reference in self.first
            self.first.discard(reference)
            try:
                trouble = self.ray.get(reference)
            except self.ray.exceptions.RayActorError as error:
                if is_first:
                    raise ClusterError(
                        f"a worker ended while it loaded its models ({printable(error)}); free some memory,"
                        " or use fewer workers."
                    ) from error
                continue
            if trouble is None:
                self.idle.append(actor)
            elif is_first:
                self.ray.kill(actor)
                raise ClusterError(str(trouble))
            else:
                self._lose(actor, trouble)

    def _hire(self) -> None:
        """New workers in place of those that ended, and more where the cluster has grown."""
        wanted = self.count or int(self.ray.cluster_resources().get("CPU", 0))
        if not wanted:
            raise ClusterError("the cluster has no processors; start a host with --num-cpus of 1 or more.")
        for _ in range(wanted - len(self.starting) - len(self.idle) - len(self.busy)):
            kind = self.ray.remote(num_cpus=1, max_restarts=0, scheduling_strategy="SPREAD")(Hand)
            actor = kind.remote(self.job, self.shared)
            self.starting[actor.prepare.remote()] = actor

    def _look(self) -> bool:
        """Looks now and then whether the head of the cluster answers; whether it just did.

        Raises ClusterError where it is silent for long: Ray itself would end this program after a minute."""
        now = time.monotonic()
        if now - self.looked < LOOK_EVERY:
            return False
        self.looked = now
        host, _, port = self.head.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), REACHABLE).close()
        except OSError as error:
            if time.monotonic() - self.heard > AWAY:
                self.is_away = True
                raise ClusterError(
                    f"the Ray cluster at {printable(self.head)} went away ({printable(error)}); what is done"
                    " is kept. Start it again, and the same command goes on."
                ) from error
            return False
        self.heard = time.monotonic()
        return True


def host_name() -> str:
    """Of the host that runs this."""
    return socket.gethostname() or "without a name"


def weight_files(settings: Settings) -> list[Path]:
    """The files of weights that workers load, where they are there."""
    named = [settings.motion.weights, settings.scores.aesthetic]
    files = [Path(name) for name in named if name]
    if settings.scores.clip:
        files += sorted(Path(settings.scores.clip).glob("*.*"))
    return [path for path in files if path.is_file()]
