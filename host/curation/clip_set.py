"""Clips of a folder of raw videos, from node to node: cut, scored, captioned, chosen, written.

What is found of each video is kept in output/curation, so that the next run does only what is new.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import comfy.utils
import folder_paths

from ...curation.job import Job
from ...curation.measures.look import Measure
from ...curation.rows import DROPPED, ERROR, Row, is_open, to_line
from ...curation.settings import Settings
from ...curation.sources import list_sources
from ...foreign_text import printable
from ..media.video import stop
from ..tuning.clip_folders import missing_folder_message

FOLDER = "curation"
"""Folder below output/ where results and data sets lie."""
KEPT = "work"
"""Folder in it of what is found of raw videos."""
CARRIED = (DROPPED, "caption", "image_caption", "video_caption")
"""Columns that earlier nodes have given and that stay."""


@dataclass(frozen=True)
class ClipSet:
    """folder: of the raw videos. rows: of all clips, also of those that failed or were dropped."""

    folder: Path
    settings: Settings
    rows: tuple[Row, ...]

    @property
    def kept(self) -> list[Row]:
        """The rows that are still in."""
        return [row for row in self.rows if is_open(row)]

    def told(self) -> str:
        """How many clips there are, and what is lost, in words."""
        errors = [row for row in self.rows if ERROR in row]
        lines = [f"{len(self.kept)} clips, {sum(row['seconds'] for row in self.kept):.1f} s"]
        reasons: dict[str, int] = {}
        for row in self.rows:
            if ERROR not in row and DROPPED in row:
                reason = row[DROPPED].split(" (")[0]
                reasons[reason] = reasons.get(reason, 0) + 1
        lines += [f"{number} dropped: {reason}" for reason, number in reasons.items()]
        lines += [f"failed: {printable(row['source'])}: {printable(row[ERROR])}" for row in errors[:20]]
        return "\n".join(lines + [f"and {len(errors) - 20} more failed"] * (len(errors) > 20))


def place_of(folder: Path) -> Path:
    """Where the results of a folder of raw videos are kept."""
    root = Path(folder_paths.get_input_directory()).resolve()
    name = folder.resolve().relative_to(root).as_posix().replace("/", "__")
    return Path(folder_paths.get_output_directory()) / FOLDER / KEPT / name


def split_into_shots(name: str, settings: Settings) -> ClipSet:
    """The clips of the videos of a folder of ComfyUI's input folder.

    Raises ValueError for a folder that is not there or holds no video."""
    if message := missing_folder_message(name):
        raise ValueError(message)
    folder = Path(folder_paths.get_input_directory()) / name
    job = Job(folder, place_of(folder), settings, stop)
    rows = tuple(_scanned(job, 1))
    if not rows:
        raise ValueError(f"'{printable(name)}' holds no video; put videos into it, or choose another folder.")
    return ClipSet(folder, settings, rows)


def raw_state(name: str | None) -> str:
    """Changes when a video of the folder, or of one below it, does."""
    if name is None or missing_folder_message(name):
        return ""
    digest = hashlib.sha256()
    for row in list_sources(Path(folder_paths.get_input_directory()) / name):
        digest.update(to_line(row).encode())
    return digest.hexdigest()


def _scanned(job: Job, levels: int) -> Iterator[Row]:
    sources = list(list_sources(job.folder))
    bar = comfy.utils.ProgressBar(max(1, len(sources)))
    for source in sources:
        stop()
        if ERROR not in source:
            job.scan(source, levels)
        yield from job.rows(source, levels - 1)
        bar.update(1)


def scored(
    clips: ClipSet, settings: Settings, measures: Callable[[Path], tuple[list[Measure], str]]
) -> ClipSet:
    """The clips with scores. measures(previews) -> measures, and a text that tells them from others."""
    settings = dataclasses.replace(clips.settings, motion=settings.motion, text=settings.text)
    place = place_of(clips.folder)
    job = Job(clips.folder, place, settings, stop, measures(place / "previews"))
    before = {row["id"]: row for row in clips.rows if "id" in row}
    rows = []
    for row in _scanned(job, 2):
        carried = before.get(row.get("id"), {})
        rows.append(row | {name: carried[name] for name in CARRIED if name in carried})
    return ClipSet(clips.folder, settings, tuple(rows))


def captioned(clips: ClipSet, texts: list[str]) -> ClipSet:
    """The clips that are still in with a text each, in their order. Raises ValueError for another number."""
    from ...curation.captions import cleaned

    number = len(clips.kept)
    if len(texts) not in (1, number):
        raise ValueError(
            f"there are {len(texts)} texts for {number} clips; give one for each, from Frames of Clips of the"
            " same clips, or one for all."
        )
    given = iter(texts * number if len(texts) == 1 else texts)
    rows = [row | {"caption": cleaned(next(given))} if is_open(row) else row for row in clips.rows]
    return dataclasses.replace(clips, rows=tuple(rows))
