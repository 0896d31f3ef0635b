"""Judging on the page of votes: files below output/votes, the next pair, a vote, one vote back."""

from __future__ import annotations

import functools
import os
import threading
from pathlib import Path

import folder_paths

from ...foreign_text import printable
from ...video_io.regular_files import check_regular, is_regular
from ...votes.book import WINNERS, Book, Vote, add_vote, begin_book, only_writer, read_book, take_back
from ...votes.plan import Pair, plan_pairs, shared_files
from ..files.output_names import check_single_name
from .clips import check_candidates, clip_address, clips_of, folder_stamp, text_of

FOLDER, ENDING = "votes", ".jsonl"
LARGEST_SEED = 2**53 - 1
"""JavaScript's largest whole number."""
_writing = threading.Lock()
"""Of this server; `only_writer` keeps other programs waiting."""


class Conflict(ValueError):
    """The file of votes is not as the page believes: another page has judged the pair."""


def votes_folder() -> Path:
    return Path(folder_paths.get_output_directory()) / FOLDER


def list_books() -> list[str]:
    """The names of the files of votes, without their ending."""
    folder = votes_folder()
    try:
        names = [entry.name for entry in os.scandir(folder) if entry.name.endswith(ENDING)]
    except OSError:
        return []
    root = folder_paths.get_output_directory()
    return sorted(
        name.removesuffix(ENDING)
        for name in names
        if not name.startswith(".") and name.isprintable()
        and is_regular(folder / name) and folder_paths.is_within_directory(root, str(folder / name))
    )  # fmt: skip


def book_path(name: str) -> Path:
    """The file of votes of a name. Raises ValueError for a name that no file there can have."""
    check_single_name("name", name, ENDING)
    path = votes_folder() / f"{name}{ENDING}"
    if name.startswith(".") or not folder_paths.is_within_directory(
        folder_paths.get_output_directory(), str(path)
    ):
        raise ValueError(f"name='{printable(name, 60)}' leads out of output/votes; choose another name.")
    check_regular(path)
    return path


def missing_book_message(name: str | None) -> str:
    """What to tell a person whose file of votes is not there; empty when it is, or comes by a link."""
    if name is None:
        return ""
    try:
        if is_regular(book_path(name)):
            return ""
    except ValueError as error:
        return str(error)
    return (
        f"'{printable(name)}' was not found in output/votes; judge pairs first (menu Zoetrope, Judge Clips in"
        " Pairs) and press R to refresh the list."
    )


def open_book(name: str) -> Book:
    """Raises ValueError where the file is not there or is not one of votes."""
    if message := missing_book_message(name):
        raise ValueError(message)
    return read_book(book_path(name))


def begin(name: str, candidates: list[str], seed: int) -> None:
    """Begins a file of votes. Raises ValueError for a name that is taken, or candidates that give no pair."""
    path = book_path(name)
    check_candidates(candidates)
    if not 0 <= seed <= LARGEST_SEED:
        raise ValueError(f"seed={seed} must be 0 to {LARGEST_SEED}; change it.")
    plan_pairs({candidate: clips_of(candidate)[0] for candidate in candidates}, seed)
    with _writing:
        try:
            begin_book(path, candidates, seed)
        except FileExistsError:
            raise ValueError(
                f"'{printable(name)}' is there already; go on with it, or choose another name."
            ) from None


def state(name: str) -> dict:
    """What the page shows: how far the judging is, and the next pair, None at the end."""
    book = open_book(name)
    pairs, left_out = _plan(book)
    judged = {vote.pair.key for vote in book.votes}
    ahead = [pair for pair in pairs if pair.key not in judged]
    return {
        "name": name,
        "candidates": list(book.candidates),
        "total": len(pairs),
        "done": len(pairs) - len(ahead),
        "votes": len(book.votes),
        "left_out": left_out,
        "damaged": book.damaged,
        "pair": _shown(ahead[0], book) if ahead else None,
    }


def _plan(book: Book) -> tuple[list[Pair], int]:
    check_candidates(list(book.candidates))
    stamps = tuple(folder_stamp(candidate) for candidate in book.candidates)
    return _planned(book.candidates, book.seed, stamps)


@functools.lru_cache(maxsize=8)
def _planned(candidates: tuple[str, ...], seed: int, stamps: tuple[int, ...]) -> tuple[list[Pair], int]:
    """The pairs of a plan, made once for each state of the folders, and how many clips are not in it."""
    found = {candidate: clips_of(candidate) for candidate in candidates}
    files = {candidate: names for candidate, (names, _) in found.items()}
    alone = sum(map(len, files.values())) - len(files) * len(shared_files(files))
    return plan_pairs(files, seed), alone + sum(count for _, count in found.values())


def _shown(pair: Pair, book: Book) -> dict:
    return {
        "file": pair.file,
        "left": pair.left,
        "right": pair.right,
        "clips": [clip_address(pair.left, pair.file), clip_address(pair.right, pair.file)],
        "text": next(filter(None, (text_of(one, pair.file) for one in book.candidates)), ""),
    }


def vote(name: str, file: str, left: str, right: str, winner: str) -> None:
    """Keeps a vote. Raises ValueError for what is no vote, Conflict for a pair that is not to be judged now,
    OSError where it cannot be written.
    """
    if winner not in WINNERS:
        raise ValueError(f"winner='{printable(winner)}' must be one of {', '.join(WINNERS)}.")
    pair = Pair(file, left, right)
    open_book(name)
    with _writing, only_writer(book_path(name)):
        book = open_book(name)
        if pair.key in {kept.pair.key for kept in book.votes}:
            raise Conflict("this pair is judged already, on another page or before; here is the next one.")
        if pair.key not in {planned.key for planned in _plan(book)[0]}:
            raise Conflict("this pair is not among those to be judged; here is the next one.")
        add_vote(book_path(name), Vote(pair, winner))


def back(name: str) -> None:
    """Takes the last vote back. Raises ValueError where there is none, OSError where it cannot be written."""
    open_book(name)
    with _writing, only_writer(book_path(name)):
        if not open_book(name).votes:
            raise ValueError("there is no vote to take back.")
        take_back(book_path(name))
