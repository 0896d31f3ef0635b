"""Foreign text made fit for a message: file names, prompts, labels, tags, and errors of other libraries.

ComfyUI prints messages with a strict encoding, and a character
that it cannot encode ends the thread that runs prompts.
"""

from __future__ import annotations

import sys

LONGEST = 200  # characters of a foreign text in a message
# Joiners of Persian, Hindi and emoji; spaces in names that macOS and Chinese users give.
_SPELLING = "\u200c\u200d\u00a0\u202f\u3000"


def printable(value: object, longest: int = LONGEST) -> str:
    """A foreign text in one line of at most `longest`
    characters; what cannot be seen is an escape such as \\n.

    What the console's encoding lacks is an escape as well; other Chinese names and emoji stay as they are.
    Of a longer text
    the middle is left out. Of an error its first line is taken, or its type where it says nothing.
    """
    text = _as_text(value)
    if len(text) > 2 * longest:  # never more work than the message is worth
        text = text[:longest] + text[-longest:]
    text = visible(text, _console_encodings())
    if len(text) <= longest:
        return text
    end = longest // 4
    return f"{text[: longest - end - 3]}...{text[len(text) - end :]}"


def printable_lines(text: str, most: int = 40, longest: int = 1000) -> str:
    """`printable` for a whole message: line by line, at most `most` lines."""
    lines = text.splitlines()
    return "\n".join([printable(line, longest) for line in lines[:most]] + ["..."] * (len(lines) > most))


def is_printable(text: str) -> bool:
    """Whether ComfyUI can print a text of several lines as it is."""
    return (
        text.isascii()
        and text.isprintable()
        or all(
            character in "\n\t" or visible(character, _console_encodings()) == character
            for character in set(text)
        )
    )


def visible(text: str, encodings: tuple[str, ...] = ()) -> str:
    """The text with an escape for every character that cannot
    be seen (control, direction, half an emoji) or encoded.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(character if _is_seen(character, encodings) else _escape(character) for character in text)


def _as_text(value: object) -> str:
    if isinstance(value, BaseException):
        return str(value).strip().split("\n", 1)[0] or type(value).__name__
    return value.decode("utf8", "surrogateescape") if isinstance(value, bytes) else str(value)


def _is_seen(character: str, encodings: tuple[str, ...]) -> bool:
    if not character.isprintable() and character not in _SPELLING:
        return False
    try:
        for encoding in encodings:
            character.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _console_encodings() -> tuple[str, ...]:
    """The encodings of stdout and stderr, which get every message."""
    streams = (sys.stdout, sys.stderr)
    return tuple({getattr(stream, "encoding", None) or "utf8" for stream in streams})
