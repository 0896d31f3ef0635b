"""What a worker is to the scheduler, wherever it runs, and how its work can fail."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Protocol

from ..foreign_text import printable_lines
from .messages import HERE


class Refused(ValueError):
    """The work cannot be done by any worker as it is asked for; the message is for the person."""


class WorkerLost(Exception):
    """The worker has ended (killed, out of memory, its host is gone): nobody knows how far it came."""


class WorkFailed(Exception):
    """An error of the work in a worker that lives on."""


class Worker(Protocol):
    """One process that calls methods of one object, one call at a time in the order of their submission."""

    name: str
    """For messages: the host, and which process there."""

    def submit(self, method: str, *arguments: object) -> Future:
        """Calls a method; its result, or Refused, WorkFailed, WorkerLost. Returns at once."""

    def cancel(self) -> None:
        """Tells the object to stop what it does (its `cancel`), beside the calls. Returns at once."""

    @property
    def is_alive(self) -> bool: ...


class Workers(Protocol):
    """Some workers on one transport."""

    def ready(self, check: Callable[[], None] = lambda: None) -> Sequence[Worker]:
        """The workers that are there, those that were lost started anew where that is possible. check():
        called while it waits for them; what it raises ends the waiting.
        """

    def share(self, data: bytes) -> object:
        """What to submit in place of data that all workers get: it travels once to each host."""

    def end(self) -> None:
        """Ends all processes."""


def make(place: str, settings: dict) -> object:
    """The object of a worker. place: `host.cluster.comfy_worker:ComfyWorker`, in this pack."""
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(f"{HERE}.{module}"), name)(**settings)


def told(error: BaseException) -> tuple[str, str]:
    """(kind, message) of an error in a worker, as it travels."""
    if isinstance(error, Refused):
        return "refused", str(error)
    text = printable_lines(str(error) or type(error).__name__, 4, 400)
    return "failed", f"{type(error).__name__}: {text}"


def error_of(kind: str, message: str, worker: str) -> Exception:
    """The error here for one that was told."""
    return Refused(f"{message} (on {worker})") if kind == "refused" else WorkFailed(f"{worker}: {message}")
