"""Files that get their name when they are whole, and never in the place of another.

While a file is written it is called `.zoetrope-<of its later name>-<of this computer>.part`. Only one process
can make that file, so that it also keeps the later name for itself. The writer holds a lock on it: a part
whose lock is free belongs to a process that has ended, and the next one that writes into the folder removes
it. Where there are no such locks (Windows, parts of other computers), a part is left over when a day old.

Source: open(2), O_EXCL; link(2); flock(2) of the Linux manual.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import platform
import re
import time
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

OLD = 24 * 3600
"""Seconds without a change after which a part without a lock is left over."""
OURS = re.compile(r"\.zoetrope-[0-9a-f]{16}-([0-9a-f]{8})(\.png)?\.part|\.[0-9a-f]{32}\.(part|png)")
"""Names of parts; the second kind is of versions that took no lock."""


NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


def _digest(text: str, length: int) -> str:
    return hashlib.sha256(text.encode("utf8", "surrogatepass")).hexdigest()[:length]


HERE = _digest(platform.node(), 8)


class PartFile:
    """A file that is being written; `file` is open for writing, `path` its name until it is published."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.file = open(path, "wb", opener=lambda path, flags: descriptor)  # noqa: SIM115, closed by discard

    @classmethod
    def reserve(cls, folder: Path, stem: str, suffix: str = "") -> PartFile | None:
        """A new part for `folder/stem.*`; None while another process, or another run, writes one.

        Raises OSError where the folder cannot be written to."""
        path = folder / f".zoetrope-{_digest(stem.casefold(), 16)}-{HERE}{suffix}.part"
        for _ in range(3):  # what a process left over is removed and the name tried again
            try:
                descriptor = os.open(path, NEW, 0o666)
            except FileExistsError:
                if not _remove_left_over(path):
                    return None
                continue
            if _locked(descriptor) is not False and _is_at(descriptor, path):
                return cls(path, descriptor)
            os.close(descriptor)  # another process took it for left over before it was locked
        return None

    def sync(self) -> None:
        """Brings everything to the disk, which is when a full one may say so."""
        self.file.flush()
        os.fsync(self.file.fileno())

    def publish(self, path: Path) -> bool:
        """Gives the file its name too; False where there is one of that name. Raises OSError."""
        try:
            os.link(self.path, path)
        except FileExistsError:
            return False
        except OSError:  # a file system without links
            return self._move(path)
        return True

    def _move(self, path: Path) -> bool:
        self.file.close()  # what is open cannot be renamed on Windows
        try:
            if os.name != "nt":  # there a rename replaces nothing; elsewhere the name has to be taken first
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
            os.rename(self.path, path)
        except FileExistsError:
            return False
        return True

    def withdraw(self, path: Path) -> None:
        """Takes the name back that `publish` gave."""
        if os.path.lexists(self.path):  # a second name of one file: a rename of one to the other does nothing
            path.unlink()
        else:
            os.rename(path, self.path)

    def discard(self) -> None:
        """Closes the file and removes it under its name of a part."""
        if fcntl is not None:  # removed while it is locked: else another process may have made it anew
            self.path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # what a full disk did not take is thrown away
            self.file.close()
        if fcntl is None:
            self.path.unlink(missing_ok=True)


def remove_left_over_parts(folder: Path) -> None:
    """Removes the parts of processes that were killed while they wrote into this folder."""
    with os.scandir(folder) as entries:
        parts = [Path(entry.path) for entry in entries if OURS.fullmatch(entry.name)]
    for part in parts:
        with contextlib.suppress(OSError):  # another process removes it too, or it belongs to someone else
            _remove_left_over(part)


def _remove_left_over(path: Path) -> bool:
    """Whether the part is gone."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return True
    except PermissionError:
        return False
    try:
        host = OURS.fullmatch(path.name)[1]
        locked = _locked(descriptor)
        aged = time.time() - os.fstat(descriptor).st_mtime > OLD
        if locked is False or not (aged or (locked and host == HERE)):
            return False
        if locked and _is_at(descriptor, path):
            path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)
    if not locked:
        path.unlink(missing_ok=True)
    return True


def _locked(descriptor: int) -> bool | None:
    """Whether the lock of a file could be taken; None where there are no locks."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return False if error.errno in (errno.EWOULDBLOCK, errno.EACCES) else None
    return True


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether a path still leads to the open file."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False
