"""Keeps threads at the priority they had.

The SVT-AV1 encoder, opened by root on Linux (as in most containers), makes its own threads and the one that
opens it real-time threads of the highest priority, for good: what that thread computes and starts from then
on leaves hardly any time to the rest of the computer.

Source: sched(7) of the Linux manual.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator


@contextlib.contextmanager
def kept_priority() -> Iterator[None]:
    """What becomes a real-time thread of this process inside gets its former priority back at the end,
    a new thread the ordinary one.
    """
    before = _policies()
    try:
        yield
    finally:
        for thread, now in _policies().items():
            was = before.get(thread, (os.SCHED_OTHER, 0))
            if now != was and now[0] in (os.SCHED_FIFO, os.SCHED_RR):
                with contextlib.suppress(OSError):  # it has ended meanwhile, or may not be changed
                    os.sched_setscheduler(thread, was[0], os.sched_param(was[1]))


def _policies() -> dict[int, tuple[int, int]]:
    """Policy and priority of every thread of this process by its number;
    nothing where the system does not tell.
    """
    found: dict[int, tuple[int, int]] = {}
    if not hasattr(os, "sched_getscheduler") or not os.path.isdir("/proc/self/task"):
        return found
    for thread in map(int, os.listdir("/proc/self/task")):
        with contextlib.suppress(OSError):
            found[thread] = (os.sched_getscheduler(thread), os.sched_getparam(thread).sched_priority)
    return found
