"""Rows: what is known of a source video or of a clip, as a dict that JSON can hold.

`error` says what failed and `dropped` why a clip is left out; a row never disappears. Times are in seconds.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ..foreign_text import printable

Row = dict[str, Any]
ERROR, DROPPED = "error", "dropped"
SAMPLED = 2**16  # bytes at either end of a file that tell it from others


def source_id(name: str, file: Path) -> str:
    """16 hex digits that tell a source video from others: by its name, size and both its ends."""
    size = os.path.getsize(file)
    with open(file, "rb") as opened:
        head = opened.read(SAMPLED)
        opened.seek(max(0, size - SAMPLED))
        return _digest(name.encode("utf8", "surrogatepass"), str(size).encode(), head, opened.read(SAMPLED))


def clip_id(source: str, begin: float, end: float) -> str:
    """16 hex digits of a clip, the same wherever and whenever it is cut: of the id of its source and of when
    it begins and ends there."""
    return _digest(f"{source} {begin:.6f} {end:.6f}".encode())


def _digest(*parts: bytes) -> str:
    found = hashlib.sha256()
    for part in parts:
        found.update(len(part).to_bytes(8, "little") + part)
    return found.hexdigest()[:16]


def failed(row: Row, where: str, error: object) -> Row:
    """The same row with what failed in it. where: the stage."""
    return {**row, ERROR: f"{where}: {printable(error, 400)}"}


def is_open(row: Row) -> bool:
    """Whether a row has neither failed nor been dropped."""
    return ERROR not in row and DROPPED not in row


def to_line(row: Row) -> str:
    """A row as a line of JSON. Half characters, which names of files may hold, become escapes."""
    line = json.dumps(row, ensure_ascii=False, allow_nan=False)
    try:
        line.encode("utf8")
    except UnicodeEncodeError:
        line = json.dumps(row, allow_nan=False)
    return line + "\n"


def part_of(path: Path) -> Path:
    """Where a file is written until it is whole: another one for each process of each host."""
    host = zlib.crc32(platform.node().encode("utf8", "surrogateescape"))
    return path.with_name(f"{path.name}.{host}{os.getpid():07}.part")


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Writes rows to a JSONL file that is there only when it is whole. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = part_of(path)
    try:
        with open(part, "w", encoding="utf8", newline="\n") as file:
            file.writelines(map(to_line, rows))
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of a JSONL file, one at a time."""
    with open(path, encoding="utf8") as file:
        for line in file:
            yield json.loads(line)


class Rows:
    """The rows of a JSONL file, as often as they are asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __iter__(self) -> Iterator[Row]:
        return read_rows(self.path)
