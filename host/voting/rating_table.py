"""Ratings of a file of votes as text and picture, for the node *Rate Candidates*."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch

from ...foreign_text import printable
from ...frame_tools.score_pictures import TableRow, draw_table
from ...votes.rating import Ratings, as_text, rate, told
from ..media.image_sources import file_state
from .sessions import book_path, missing_book_message, open_book


@dataclass(frozen=True)
class RateSettings:
    """How far one vote moves an Elo at most, and the width of the table in pixels."""

    elo_k: float = 4.0
    width: int = 960


def book_state(name: str | None) -> str:
    """Changes when the file of votes does."""
    if name is None or missing_book_message(name):
        return ""
    return hashlib.sha256(file_state(book_path(name)).encode("utf8", "surrogateescape")).hexdigest()


def rated(name: str, settings: RateSettings) -> tuple[torch.Tensor, str, Ratings]:
    """The table (1, H, width, 3), the text and the ratings of a file of votes. Raises ValueError as
    `open_book` and `rate`.
    """
    ratings = rate(open_book(name), settings.elo_k)
    return rating_table(ratings, settings), as_text(ratings), ratings


def rating_table(ratings: Ratings, settings: RateSettings) -> torch.Tensor:
    """A column for each candidate."""
    rows = ratings.ratings
    strengths, elos = [row.strength for row in rows], [row.elo for row in rows]
    shares = [row.won / row.votes if row.votes else None for row in rows]
    table = [
        _row("Bradley-Terry", "points around 1000, interval of 95 %", strengths),
        _row("Elo", f"k {settings.elo_k:g}, mean over orders, interval of 95 %", elos),
        _row("won", "of its votes; a tie is half", shares),
    ]
    counts = [str(row.votes) for row in rows]
    table.append(TableRow("votes", f"{ratings.counted} in all", counts, [None] * len(rows)))
    notes = [f"! {note}" for note in ratings.notes]
    return draw_table([printable(row.candidate) for row in rows], table, notes, settings.width)


def _row(name: str, note: str, found: list) -> TableRow:
    values = [getattr(one, "value", one) for one in found]
    cells = [f"{one:.0%}" if isinstance(one, float) else told(one) for one in found]
    there = [value for value in values if value is not None]
    best = values.index(max(there)) if there and there.count(max(there)) == 1 else None
    return TableRow(name, note, cells, values, best)
