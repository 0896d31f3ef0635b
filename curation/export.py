"""Kept clips as a data set: mp4 and txt pairs, tables, WebDataset tars, Parquet.

The pairs are what ComfyUI's Load Video-Text Data Set From Folder and our Training Clips from Folder read.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import os
import re
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..video_io.clip_files import copy_clip, write_clip
from .extras import missing
from .rows import Row, part_of, to_line
from .settings import Export
from .stage import Stage
from .videos import probed

CLIPS, WORK, PREVIEWS = "clips", "work", "previews"
"""Folders of a data set."""
HIDDEN = ("look", "features")
"""Columns that are for this program only."""
ROWS_AT_ONCE = 10_000
COLUMNS = {
    "id": "str", "file": "str", "caption": "str", "seconds": "float", "frames": "int", "width": "int",
    "height": "int", "fps": "float", "motion": "float", "motion_speed": "float", "moving": "float",
    "text_area": "float", "aesthetic": "float", "clip_similarity": "float", "source": "str",
    "source_id": "str", "first": "int", "last": "int", "begin": "float", "end": "float", "codec": "str",
    "sound": "bool", "file_bytes": "int", "sha256": "str", "image_caption": "str", "video_caption": "str",
}  # fmt: skip
"""Of the Parquet table, with their types."""
ODD = re.compile(r"[^\w.\- ]|[\x00-\x1f]|^\.+")
OURS = re.compile(r".*-[0-9a-f]{16}\.(mp4|txt)(\.\d+\.part)?")
PART = re.compile(r"\.\d+\.part$")
TABLE_PART = re.compile(r"(clips|all)\.(jsonl|parquet)\.\d+\.part")
OWN_FOLDERS = (WORK, PREVIEWS, "report", "webdataset")


def file_stem(row: Row) -> str:
    """What the files of a clip are called: the name of its source and its id."""
    name = Path(row["source"]).stem.encode("utf8", "replace").decode("utf8")
    name = ODD.sub("_", name).strip(" .") or "clip"
    while len(name.encode("utf8")) > 120:
        name = name[:-1]
    return f"{name}-{row['id']}"


def shown(row: Row) -> Row:
    """A row for people: without what only this program reads."""
    return {name: value for name, value in row.items() if name not in HIDDEN}


class WriteClips(Stage):
    """Writes the files of clips into `out`/clips and gives the rows `file`, `file_bytes` and `sha256`.

    A file that is there is whole, and stays. Copied clips have `copied_first`, `copied_last` and
    `lost_frames`."""

    name = "export"

    def __init__(self, folder: Path, out: Path, settings: Export, stop=int) -> None:
        self.folder, self.out, self.settings, self.stop = folder, out, settings, stop

    def rows_of(self, row: Row) -> Iterable[Row]:
        path = self.out / CLIPS / f"{file_stem(row)}.mp4"
        span = row["first"], row["last"]
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            part = part_of(path)
            try:
                span = self._write(row, part)
                if span != (row["first"], row["last"]):
                    _keep_span(path, span)
                os.replace(part, path)
            finally:
                part.unlink(missing_ok=True)
        elif self.settings.mode == "copy":
            span = _kept_span(path, span)
        text = path.with_suffix(".txt")
        caption = row.get("caption", "")
        if not text.exists() or text.read_text(encoding="utf8") != caption:
            text.write_text(caption, encoding="utf8", newline="\n")
        with open(path, "rb") as file:
            digest = hashlib.sha256()
            while piece := file.read(2**20):
                digest.update(piece)
        told = {
            "file": f"{CLIPS}/{path.name}",
            "file_bytes": path.stat().st_size,
            "sha256": digest.hexdigest(),
        }
        if self.settings.mode == "copy":
            lost = row["frames"] - (span[1] - span[0] + 1)
            told |= {"copied_first": span[0], "copied_last": span[1], "lost_frames": lost}
        yield row | told

    def _write(self, row: Row, part: Path) -> tuple[int, int]:
        source = self.folder / row["source"]
        probe, span = probed(source), (row["first"], row["last"])
        with open(part, "wb") as file:
            if self.settings.mode == "copy":
                span = copy_clip(source, probe, *span, file, self.settings.sound, self.stop)
            else:
                write_clip(source, probe, *span, file, self.settings.encoding, self.stop)
            file.flush()
            os.fsync(file.fileno())
        return span


def _span_file(path: Path) -> Path:
    return path.parent.parent / WORK / "spans" / f"{path.stem}.txt"


def _keep_span(path: Path, span: tuple[int, int]) -> None:
    file = _span_file(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{span[0]} {span[1]}", encoding="utf8")


def _kept_span(path: Path, whole: tuple[int, int]) -> tuple[int, int]:
    file = _span_file(path)
    return tuple(map(int, file.read_text(encoding="utf8").split())) if file.exists() else whole


def remove_others(folder: Path, kept: Iterable[str]) -> int:
    """Removes clips of an earlier run that are not kept now; files of others stay. How many files."""
    wanted = {name for stem in kept for name in (f"{stem}.mp4", f"{stem}.txt")}
    if not folder.is_dir():
        return 0
    gone = [entry.name for entry in os.scandir(folder) if OURS.fullmatch(entry.name)]
    gone = [name for name in gone if name not in wanted]
    for name in gone:
        (folder / name).unlink(missing_ok=True)
    return len(gone)


def remove_parts(out: Path) -> None:
    """Removes files that a killed run had half written: tables, previews, the report's, tars."""
    tables = [path for path in out.glob("*.part") if TABLE_PART.fullmatch(path.name)]
    inside = [
        path for folder in OWN_FOLDERS for path in (out / folder).rglob("*.part") if PART.search(path.name)
    ]
    for path in (*tables, *inside):
        path.unlink(missing_ok=True)


def write_tars(out: Path, rows: Iterator[Row], clips_per_tar: int) -> list[Path]:
    """Kept clips as WebDataset: out/webdataset/00000.tar with <id>.mp4, .txt and .json for each."""
    folder = out / "webdataset"
    folder.mkdir(parents=True, exist_ok=True)
    made = [
        _write_tar(out, folder, number, batch) for number, batch in enumerate(_batches(rows, clips_per_tar))
    ]
    for path in folder.glob("[0-9][0-9][0-9][0-9][0-9].tar"):
        if path not in made:
            path.unlink()
    return made


def _write_tar(out: Path, folder: Path, number: int, rows: list[Row]) -> Path:
    path = folder / f"{number:05}.tar"
    part = part_of(path)
    try:
        with tarfile.open(part, "w", format=tarfile.USTAR_FORMAT) as tar:
            for row in rows:
                video = out / row["file"]
                with open(video, "rb") as file:
                    tar.addfile(_entry(f"{row['id']}.mp4", video.stat().st_size), file)
                texts = {"txt": row.get("caption", ""), "json": to_line(shown(row))}
                for kind, text in texts.items():
                    data = text.encode("utf8", "surrogateescape")
                    tar.addfile(_entry(f"{row['id']}.{kind}", len(data)), io.BytesIO(data))
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return path


def _entry(name: str, size: int) -> tarfile.TarInfo:
    """A file of a tar that has the same bytes whoever makes it, and whenever."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, 0o644
    return entry


def write_parquet(path: Path, rows: Iterable[Row]) -> None:
    """The COLUMNS of rows as a Parquet table. Raises ValueError where pyarrow is missing."""
    pyarrow, parquet = check_parquet()
    kinds = {
        "str": pyarrow.string(),
        "int": pyarrow.int64(),
        "float": pyarrow.float64(),
        "bool": pyarrow.bool_(),
    }
    schema = pyarrow.schema([(name, kinds[kind]) for name, kind in COLUMNS.items()])
    part = part_of(path)
    try:
        with parquet.ParquetWriter(part, schema) as writer:
            for batch in _batches(rows, ROWS_AT_ONCE):
                values = [{name: row.get(name) for name in COLUMNS} for row in batch]
                writer.write_table(pyarrow.Table.from_pylist(values, schema=schema))
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _batches(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    rows = iter(rows)
    while batch := list(itertools.islice(rows, size)):
        yield batch


def check_parquet():
    """pyarrow and its parquet. Raises ValueError where it is missing."""
    try:
        import pyarrow
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise missing("the format parquet", "pyarrow") from error
    return pyarrow, parquet
