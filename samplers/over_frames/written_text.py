"""A text that a person wrote, and errors that say where in it something is wrong."""

from __future__ import annotations

from dataclasses import dataclass

from ...foreign_text import printable

SHOWN = 24  # characters of the text in an error


@dataclass(frozen=True)
class WrittenText:
    """The text of an input; places in it are counted in characters from 0."""

    name: str
    """Of the input, for errors."""
    text: str

    def error(self, place: int, message: str) -> ValueError:
        """The error of something wrong at a place: names the input, its line and column (from 1)."""
        before = self.text[:place]
        line, column = before.count("\n") + 1, place - before.rfind("\n")
        return ValueError(f"{self.name}, line {line}, column {column}: {message}")

    def expected(self, place: int, what: str) -> ValueError:
        """The error where something else stands than what must stand there."""
        if place >= len(self.text):
            return self.error(place, f"the text ends, expected {what}.")
        following = self.text[place : place + 4 * SHOWN]
        return self.error(place, f"found '{printable(following, SHOWN)}', expected {what}.")
