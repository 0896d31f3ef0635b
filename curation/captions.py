"""Texts of clips: from a table by id, from files beside the videos, from captioners, cleaned; how well they
fit, by a CLIP.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from ..foreign_text import printable
from .measures.pictures import Features, unpack
from .rows import Row, failed, is_open
from .settings import Captions

BATCH = 64
SAID = ("summary", "video_caption", "image_caption")
"""Columns of captioners; the first one that a row has is its text."""
FILLERS = re.compile(
    r"^(in |on )?(this|the) (video|clip|image|footage|scene),?"
    r"( (shows|features|depicts|captures|is of|we see))?[,:]? ",
    re.IGNORECASE,
)
THOUGHTS = re.compile(r"^.*</think>|<think>.*$", re.DOTALL)
LABELS = re.compile(
    r"^((sure|certainly|of course|okay)[,!.:]\s+)?"
    r"(here('s| is)\b[^:\n]{0,60}\b(sentence|caption|summary|description|answer|text)\b[^:\n]{0,40}:\s*)?"
    r"((final |combined |one-sentence )?(sentence|caption|summary|description|answer)\s*:\s*)?",
    re.IGNORECASE,
)
MARKS = re.compile(r"\*\*|`+|^[#>]+ ", re.MULTILINE)


class CaptionTexts:
    """The text of each clip, by the settings. Raises ValueError for a table that cannot be read."""

    def __init__(self, folder: Path, settings: Captions) -> None:
        self.folder, self.settings = folder, settings
        self.table = _table(Path(settings.file)) if settings.file else {}
        self.beside: tuple[str, str | None] = ("", None)

    def told(self, row: Row) -> Row:
        """The row with its `caption`, where there is one. A text that cannot be read is an error."""
        if not is_open(row):
            return row
        try:
            said = next((row[name] for name in SAID if row.get(name)), "")
            text = self.table.get(row["id"]) or self._beside(row["source"]) or said or self.settings.default
        except ValueError as error:
            return failed(row, "captions", error)
        return {**row, "caption": cleaned(text)} if text else row

    def _beside(self, source: str) -> str | None:
        if not self.settings.beside:
            return None
        if self.beside[0] != source:
            self.beside = source, text_beside(self.folder / source)
        return self.beside[1]


def text_beside(video: Path) -> str | None:
    """The text of the .txt file beside a video; None without one. Raises ValueError for what is no UTF-8."""
    path = video.with_suffix(".txt")
    try:
        return path.read_text(encoding="utf-8-sig").strip()
    except FileNotFoundError:
        return None
    except (UnicodeDecodeError, OSError) as error:
        raise ValueError(
            f"'{printable(path.name)}' cannot be read as UTF-8 text; save it as UTF-8."
        ) from error


def cleaned(text: str) -> str:
    """A caption in one line without what language models put in front of it, its first letter as it was."""
    text = MARKS.sub("", THOUGHTS.sub("", text)).strip()
    text = " ".join(LABELS.sub("", text).split()).strip("\"' ")
    short = FILLERS.sub("", text)
    return short[:1].upper() + short[1:] if short and short != text else text


def _table(path: Path) -> dict[str, str]:
    found = {}
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"the captions '{printable(path.name)}' cannot be read: {printable(error)}."
        ) from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            found[str(row["id"])] = str(row["caption"])
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise ValueError(
                f"line {number} of '{printable(path.name)}' is no caption; it must be as"
                ' {"id": "...", "caption": "..."}.'
            ) from error
    return found


def with_similarity(rows: Iterable[Row], clip: Features) -> Iterator[Row]:
    """Rows with `clip_similarity`: the mean cosine of a clip's caption and its three pictures."""
    batch: list[Row] = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH:
            yield from _scored(batch, clip)
            batch = []
    yield from _scored(batch, clip)


def _scored(rows: list[Row], clip: Features) -> Iterator[Row]:
    wanted = [row for row in rows if is_open(row) and "caption" in row and "features" in row]
    texts = iter(clip.texts([row["caption"] for row in wanted]) if wanted else ())
    numbers = set(map(id, wanted))
    for row in rows:
        if id(row) in numbers:
            pictures = np.stack([unpack(text) for text in row["features"]])
            row = {**row, "clip_similarity": round(float((pictures @ next(texts)).mean()), 5)}
        yield row
