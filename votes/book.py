"""A file of votes: a line of JSON for each, on the disk before the next pair is shown.

The first line is {"zoetrope_votes": 1, "candidates": ["keep25", "keep50"], "seed": 0}. A vote is
{"file": "0001.mp4", "left": "keep25", "right": "keep50", "winner": "left", "time": "2026-01-31T12:00:00Z"};
{"undone": true, "time": ...} takes the last vote back. Lines are only ever added.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..foreign_text import printable
from .plan import Pair

FORMAT = "zoetrope_votes"
LEFT, RIGHT, TIE, SKIP = WINNERS = ("left", "right", "tie", "skip")
MOST_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Vote:
    """Who won of a pair: "left", "right", "tie", or "skip" for one that could not be judged."""

    pair: Pair
    winner: str


@dataclass(frozen=True)
class Book:
    """What a file says: the votes that hold, in their order, and how many lines are no vote."""

    candidates: tuple[str, ...]
    seed: int
    votes: tuple[Vote, ...]
    damaged: int = 0


def read_book(path: Path) -> Book:
    """What a file of votes says. A last line that is not whole, or damaged ones, are left out and counted.

    Raises ValueError for a file that is not one of votes, or that cannot be read.
    """
    name = f"'{printable(path.name)}'"
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"{name} has more than {MOST_BYTES >> 20} MiB, which no file of votes has.")
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise ValueError(
            f"{name} cannot be read ({printable(error.strerror)}); choose another file of votes."
        ) from None
    head = _record(lines[0].removeprefix(b"\xef\xbb\xbf")) if len(lines) > 1 else None
    candidates, seed = (head or {}).get("candidates"), (head or {}).get("seed")
    if (head or {}).get(FORMAT) != 1 or not _are_candidates(candidates) or not isinstance(seed, int):
        raise ValueError(
            f"{name} is no file of votes of this version; choose one that the page of votes made."
        )
    votes, damaged = [], 0
    for line in filter(bytes.strip, lines[1:]):
        record = _record(line)
        vote = _vote(record, set(candidates))
        if vote is not None:
            votes.append(vote)
        elif (record or {}).get("undone") is True:
            votes = votes[:-1]
        else:
            damaged += 1
    return Book(tuple(candidates), seed, tuple(votes), damaged)


def _are_candidates(value: object) -> bool:
    texts = isinstance(value, list) and all(isinstance(one, str) for one in value)
    return texts and len(set(value)) == len(value) >= 2


def _record(line: bytes) -> dict | None:
    try:
        found = json.loads(line.decode("utf8"))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _vote(record: dict | None, candidates: set[str]) -> Vote | None:
    """The vote of a record; None where it is none of these candidates."""
    file, left, right, winner = ((record or {}).get(key) for key in ("file", "left", "right", "winner"))
    if not all(isinstance(text, str) for text in (file, left, right, winner)):
        return None
    if winner not in WINNERS or left == right or not {left, right} <= candidates:
        return None
    return Vote(Pair(file, left, right), winner)


def begin_book(path: Path, candidates: list[str], seed: int) -> None:
    """Makes a file of votes. Raises FileExistsError where one is; one whose first line is torn is no file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    head = {FORMAT: 1, "candidates": candidates, "seed": seed}
    try:
        file = path.open("xb")
    except FileExistsError:
        if b"\n" in path.read_bytes()[:MOST_BYTES]:
            raise
        file = path.open("wb")
    with file:
        _write(file, head)


def add_vote(path: Path, vote: Vote) -> None:
    """Adds a vote; it is on the disk when this returns. Raises OSError."""
    pair = vote.pair
    _add(path, {"file": pair.file, "left": pair.left, "right": pair.right, "winner": vote.winner})


def take_back(path: Path) -> None:
    """Takes the last vote back, by another line. Raises OSError."""
    _add(path, {"undone": True})


@contextlib.contextmanager
def only_writer(path: Path) -> Iterator[None]:
    """Waits until no other program writes votes to this file, and keeps others waiting: two ComfyUIs may have
    one output folder. The system frees the lock of a program that ends. Raises OSError."""
    with path.open("r+b") as file:
        if os.name == "nt":
            import msvcrt

            file.seek(MOST_BYTES * 2)  # Windows lets nobody read what is locked
            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
            try:
                yield
            finally:
                file.seek(MOST_BYTES * 2)
                msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)  # goes with the descriptor
            yield


def _add(path: Path, record: dict) -> None:
    now = datetime.datetime.now(datetime.timezone.utc)
    with path.open("r+b") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(0, end - 1))
        torn = file.read(1) not in (b"\n", b"")
        file.seek(0, os.SEEK_END)
        _write(file, record | {"time": now.strftime("%Y-%m-%dT%H:%M:%SZ")}, b"\n" * torn)


def _write(file, record: dict, before: bytes = b"") -> None:
    """surrogateescape has no JSON; `ensure_ascii` writes every name so that it comes back as it was."""
    file.write(before + json.dumps(record).encode("ascii") + b"\n")
    file.flush()
    os.fsync(file.fileno())
