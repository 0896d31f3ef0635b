"""Workers as processes of this machine, which talk through their standard input and output.

A process that loses its parent reads the end of its input, and ends at once: none is left over, not even
when the parent is killed.
"""

from __future__ import annotations

import atexit
import os
import queue
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, InvalidStateError
from pathlib import Path

from . import messages
from .worker import WorkerLost, error_of

SCRIPT = Path(__file__).with_name("process_script.py")
LENGTH = struct.Struct(">Q")
LAST_WORDS = 300  # characters of the log of a process that has ended


def write_frame(file, data: bytes) -> None:
    file.write(LENGTH.pack(len(data)))
    file.write(data)
    file.flush()


def read_frame(file) -> bytes | None:
    """The next frame; None at the end."""
    head = file.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    data = file.read(length)
    return data if len(data) == length else None


class ProcessWorker:
    """One process. place, settings: of its object (worker.make). log: what it says goes there."""

    def __init__(
        self, name: str, place: str, settings: dict, environment: Mapping[str, str], log: Path
    ) -> None:
        self.name, self.log = name, log
        self.process = subprocess.Popen(
            [sys.executable, str(SCRIPT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=log.open("ab"), env={**os.environ, **environment}, **_in_its_own_group(),
        )  # fmt: skip
        self._calls: dict[int, Future] = {}
        self._number, self._lock, self._lost = 0, threading.Lock(), False
        self._outgoing: queue.SimpleQueue = queue.SimpleQueue()
        for target in (self._write, self._read):
            threading.Thread(target=target, daemon=True).start()
        self._outgoing.put(messages.pack((place, settings)))

    @property
    def is_alive(self) -> bool:
        return not self._lost and self.process.poll() is None

    def submit(self, method: str, *arguments: object) -> Future:
        future: Future = Future()
        with self._lock:
            self._number += 1
            number = self._number
            if self._lost:
                future.set_exception(WorkerLost(self._last_words()))
                return future
            self._calls[number] = future
        self._outgoing.put(messages.pack((number, method, arguments)))
        return future

    def cancel(self) -> None:
        self._outgoing.put(messages.pack((0, "cancel", ())))

    def end(self) -> None:
        """Ends the process; what it does is lost."""
        self._outgoing.put(None)
        try:
            self.process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _write(self) -> None:
        """A thread of its own: a process that does not read must not hold up who cancels."""
        try:
            while (data := self._outgoing.get()) is not None:
                write_frame(self.process.stdin, data)
            self.process.stdin.close()
        except (OSError, ValueError):
            pass  # it has ended; the reader tells

    def _read(self) -> None:
        while (data := read_frame(self.process.stdout)) is not None:
            number, is_fine, value = messages.unpack(data)
            with self._lock:
                future = self._calls.pop(number, None)
            if future is not None:
                _settle(future, value if is_fine else error_of(*value, self.name), is_fine)
        self.process.wait()
        with self._lock:
            self._lost = True
            calls, self._calls = list(self._calls.values()), {}
        for future in calls:
            _settle(future, WorkerLost(self._last_words()), False)
        self._outgoing.put(None)

    def _last_words(self) -> str:
        text = self.log.read_text(encoding="utf8", errors="replace").strip() if self.log.exists() else ""
        said = f"; it said last: {text.splitlines()[-1][:LAST_WORDS]}" if text else ""
        return f"{self.name} has ended (status {self.process.poll()}{said})"


def _settle(future: Future, value: object, is_fine: bool) -> None:
    try:
        if is_fine:
            future.set_result(value)
        else:
            future.set_exception(value)
    except InvalidStateError:
        pass  # it was cancelled


class ProcessWorkers:
    """count processes, started when they are first asked for. environments: variables of each."""

    def __init__(
        self, place: str, settings: dict, environments: Sequence[Mapping[str, str]], logs: Path
    ) -> None:
        self.place, self.settings, self.environments, self.logs = place, settings, environments, logs
        self._workers: list[ProcessWorker | None] = [None] * len(environments)
        atexit.register(self.end)

    def ready(self, check: Callable[[], None] = lambda: None) -> list[ProcessWorker]:
        """All of them at once: they take calls while they start."""
        self.logs.mkdir(parents=True, exist_ok=True)
        for number, worker in enumerate(self._workers):
            if worker is None or not worker.is_alive:
                log = self.logs / f"worker-{os.getpid()}-{number + 1}.log"
                log.unlink(missing_ok=True)
                environment = self.environments[number]
                name = f"worker {number + 1} of this machine"
                self._workers[number] = ProcessWorker(name, self.place, self.settings, environment, log)
        return list(self._workers)

    def share(self, data: bytes) -> bytes:
        return data

    def end(self) -> None:
        atexit.unregister(self.end)
        workers, self._workers = self._workers, [None] * len(self._workers)
        for worker in workers:
            if worker is not None:
                worker.end()


def _in_its_own_group() -> dict:
    """Ctrl-C in a terminal is for the parent, which ends its workers."""
    if os.name == "nt":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}
