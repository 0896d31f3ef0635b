"""The lock that keeps two set-ups from writing the same folder."""

import contextlib
import os
import time

from . import paths
from .ending import Stop

LOCK_SECONDS = 15  # for which a set-up waits for another's end

inherited = ()
"""The lock's descriptor, for the programs of a set-up: a pip that outlives a killed dev.py keeps the lock."""


@contextlib.contextmanager
def only_one_setup():
    """Holds a lock that the system releases with the process.

    A moment's looking whether all is there, by another dev.py, is waited for; Stop after LOCK_SECONDS."""
    global inherited
    paths.HOME.mkdir(exist_ok=True)
    with open(paths.HOME / "lock", "w", encoding="utf8") as handle:
        until = time.monotonic() + LOCK_SECONDS
        while not _locked(handle):
            if time.monotonic() > until:
                raise Stop(
                    f"Another dev.py is setting up {paths.HOME} right now; "
                    "wait until it is done and run this again."
                )
            time.sleep(0.1)
        try:
            inherited = () if os.name == "nt" else (handle.fileno(),)
            yield
        finally:
            inherited = ()


def _locked(handle):
    """Whether this process has the lock on an open file now."""
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
