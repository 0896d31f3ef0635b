"""Errors that ComfyUI can print:
it prints the whole chain with a strict encoding, and one bad name in it ends its prompt thread.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from ..foreign_text import is_printable, printable_lines


@contextmanager
def printable_errors() -> Iterator[None]:
    """Lets errors through that can be printed with their chain and notes, and says others in printable words.

    Those have the same type where a text makes one (else
    ValueError or RuntimeError), the traceback, and no chain.
    """
    try:
        yield
    except Exception as error:
        if all(map(_can_be_printed, _chain(error))):
            raise
        told = error if _can_be_printed(error) else _in_other_words(error)
        raise told.with_traceback(error.__traceback__) from None


def _chain(error: BaseException | None) -> list[BaseException]:
    """The errors that a traceback shows, each once."""
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return found


def _can_be_printed(error: BaseException) -> bool:
    return all(map(is_printable, traceback.format_exception_only(type(error), error)))


def _in_other_words(error: Exception) -> Exception:
    text = printable_lines(str(error)) or type(error).__name__
    try:
        made = type(error)(text)
        if isinstance(made, type(error)) and _can_be_printed(made):
            return made
    except Exception:  # a type that is made of more than a text
        pass
    return (ValueError if isinstance(error, ValueError) else RuntimeError)(text)
