"""The videos below a folder, one row each, without holding more than one folder's names in memory."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from ..foreign_text import printable
from .rows import Row, failed

VIDEOS = frozenset(
    (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".wmv", ".flv")
    + (".ogv", ".3gp", ".mxf", ".vob")
)
PLAN = "plan"


def list_sources(folder: Path, without: Path | None = None) -> Iterator[Row]:
    """A row for each video below a folder, in the order of their names: `source` (path from the folder, with
    /), `bytes`, `changed` (ns).

    without: a folder in it that is not looked into, as the data set that is made. A folder that cannot be
    read is a row with an error. Links to folders are not followed.
    """
    yield from _below(Path(folder), "", None if without is None else Path(without).absolute())


def _below(folder: Path, prefix: str, without: Path | None) -> Iterator[Row]:
    files, folders = [], []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.name)
                elif os.path.splitext(entry.name)[1].lower() in VIDEOS:
                    files.append(entry.name)
    except OSError as error:
        yield failed(
            {"source": prefix or "."}, PLAN, f"the folder cannot be read ({printable(error.strerror)})"
        )
        return
    for name in sorted(files):
        row = {"source": prefix + name}
        try:
            state = os.stat(folder / name)
            yield row | {"bytes": state.st_size, "changed": state.st_mtime_ns}
        except OSError as error:
            yield failed(row, PLAN, f"the file cannot be read ({printable(error.strerror)})")
    for name in sorted(folders):
        if without is None or (folder / name).absolute() != without:
            yield from _below(folder / name, f"{prefix}{name}/", without)


def check_folder(folder: Path) -> None:
    """Raises ValueError for what is no folder."""
    if not Path(folder).is_dir():
        raise ValueError(f"'{printable(str(folder))}' is no folder; give the folder of the raw videos.")


def work_name(row: Row) -> str:
    """Of the file that keeps the results of a source: another one when the video has changed."""
    told = f"{row['source']} {row.get('bytes')} {row.get('changed')}"
    digest = hashlib.sha256(told.encode("utf8", "surrogatepass")).hexdigest()
    return f"{digest[:2]}/{digest[:24]}.jsonl"
