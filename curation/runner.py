"""From a folder to a data set: the plan, all stages of all videos, the choice, the files, the report.

Rows go from file to file; what is held in memory grows with neither the number nor the length of videos, but
for 8 bytes a clip and score, and the looks of kept clips where near duplicates are sought.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..foreign_text import printable
from .captions import CaptionTexts, with_similarity
from .export import CLIPS, WORK, file_stem, remove_others, remove_parts, shown, write_parquet, write_tars
from .features import ClipFolder
from .job import Job
from .report import Counts, write_report
from .rows import Row, Rows, failed, is_open, read_rows, write_rows
from .shards import Shards
from .sources import check_folder, list_sources
from .thresholds import Chooser, Scale
from .workers import Workers

Told = Callable[[str, int, int, str], None]
"""told(what, done, all, more): called as the work goes on."""


@dataclass(frozen=True)
class Finished:
    """What came out. table: the JSONL of kept clips; page: the report."""

    counts: Counts
    table: Path
    page: Path


class Curation:
    """job: of the folders and settings. workers: processes; 0 = all in this one. hire: gives other workers
    for a job, in place of processes here."""

    def __init__(
        self, job: Job, workers: int = 0, told: Told = lambda *_: None,
        hire: Callable[[Job], Workers] | None = None,
    ) -> None:  # fmt: skip
        self.job, self.told = job, told
        self.hire = hire or (lambda job: Workers(job, workers))
        self.out, self.settings = job.out, job.settings

    def run(self, retry: bool = False) -> Finished:
        """All of it; with `retry`, videos that failed before once more. The same call goes on where the last
        one stopped.

        Raises ValueError for a folder without videos, for what is missing and for unknown scores, and OSError
        for a full disk."""
        number = self.plan()
        if retry:
            self.retry()
        with self.hire(self.job) as workers:
            self.scan(workers, number)
            thresholds = self.choose()
            self.write(workers)
        return self.finish(thresholds)

    def run_chosen(self, rows: Iterable[Row]) -> Finished:
        """Only the files, tables and report, of rows that are scored and chosen already."""
        self.out.mkdir(parents=True, exist_ok=True)
        write_rows(self._file("chosen"), rows)
        with self.hire(self.job) as workers:
            self.write(workers)
        return self.finish({})

    def _file(self, name: str) -> Path:
        return self.out / WORK / f"{name}.jsonl"

    def plan(self) -> int:
        """Writes the list of videos; how many."""
        check_folder(self.job.folder)
        self.out.mkdir(parents=True, exist_ok=True)
        if self.out.resolve() == self.job.folder.resolve():
            raise ValueError("the data set cannot go into the folder of the raw videos itself; give another.")
        number = 0

        def count() -> Iterator[Row]:
            nonlocal number
            for row in list_sources(self.job.folder, self.out):
                number += 1
                if number % 1000 == 0:
                    self.told("list of videos", number, 0, "")
                yield row

        write_rows(self._file("plan"), count())
        if not number:
            raise ValueError(
                f"'{printable(self.job.folder.name)}' holds no video; put videos (mp4, mkv, webm, mov, avi,"
                " ...) into it or into folders below it."
            )
        return number

    def retry(self) -> None:
        """Forgets the results of videos in which something failed, so that they are tried again."""
        self.shards().forget_failed()

    def sources(self) -> Iterator[Row]:
        """The planned videos."""
        return read_rows(self._file("plan"))

    def shards(self) -> Shards:
        """The planned videos in shards."""
        return Shards(self.job, Rows(self._file("plan")))

    def scan(self, workers: Workers, number: int) -> None:
        """Cuts and measures every video."""
        shards = self.shards()
        done, errors = number - sum(len(shards.left_of(shard)) for shard in shards), 0
        if done < number:
            workers.check()
        self.told("shots and scores", done, number, "")

        def give_up(source: Row, why: str) -> tuple[int, int]:
            self.job.give_up(source, why)
            return 1, 1

        for source, (_, failures) in workers.run("scan", shards.left(), give_up):
            shards.done(source)
            done, errors = done + 1, errors + failures
            self.told("shots and scores", done, number, f"{errors} errors" if errors else "")
        shards.finish()

    def rows(self) -> Iterator[Row]:
        """All rows of all videos, in the order of the plan."""
        return self.shards().rows()

    def choose(self) -> dict[str, float]:
        """Writes all rows with their texts, and what is decided of them; the thresholds."""
        texts = CaptionTexts(self.job.folder, self.settings.captions)
        rows: Iterable[Row] = map(texts.told, self.rows())
        if self.settings.scores.clip:
            clip = ClipFolder(Path(self.settings.scores.clip))
            clip.setup()
            rows = with_similarity(rows, clip)
        scale = Scale()

        def seen() -> Iterator[Row]:
            for row in rows:
                if is_open(row):
                    scale.see(row)
                yield row

        write_rows(self._file("told"), seen())
        thresholds = scale.thresholds(self.settings.keep)
        chooser = Chooser(self.settings.keep, thresholds, scale.values)
        write_rows(self._file("chosen"), map(chooser.choose, read_rows(self._file("told"))))
        return thresholds

    def write(self, workers: Workers) -> None:
        """Writes the files of kept clips."""
        self._forget_other_encodings()
        number = sum(is_open(row) for row in read_rows(self._file("chosen")))
        done, written = 0, self.out / WORK / "written"
        tasks = (list(rows) for _, rows in itertools.groupby(self._kept(), lambda row: row["source"]))
        results = workers.run("export", tasks, lambda rows, why: [failed(row, "export", why) for row in rows])
        for rows, results_of in results:
            done += len(rows)
            write_rows(written / f"{rows[0]['id']}.jsonl", results_of)
            self.told("files of clips", done, number, "")

    def _kept(self) -> Iterator[Row]:
        return filter(is_open, read_rows(self._file("chosen")))

    def _forget_other_encodings(self) -> None:
        """Clips of an earlier run that were encoded with other settings go."""
        encoding = dataclasses.asdict(self.settings.export.encoding) | {"mode": self.settings.export.mode}
        told, file = json.dumps(encoding, sort_keys=True), self.out / WORK / "encoding.json"
        if file.exists() and file.read_text(encoding="utf8") != told:
            remove_others(self.out / CLIPS, [])
            for span in (self.out / WORK / "spans").glob("*.txt"):
                span.unlink()
        file.write_text(told, encoding="utf8")

    def finish(self, thresholds: dict[str, float]) -> Finished:
        """Writes the tables, the other formats and the report."""
        remove_parts(self.out)
        table, everything = self.out / "clips.jsonl", self.out / "all.jsonl"
        write_rows(everything, map(shown, self._with_files()))
        write_rows(table, filter(is_open, read_rows(everything)))
        remove_others(self.out / CLIPS, (file_stem(row) for row in read_rows(table)))
        for format_ in ("webdataset", "parquet"):
            if format_ in self.settings.export.formats:
                self.told(format_, 0, 0, "")
        if "webdataset" in self.settings.export.formats:
            write_tars(self.out, read_rows(table), self.settings.export.clips_per_tar)
        if "parquet" in self.settings.export.formats:
            write_parquet(self.out / "clips.parquet", read_rows(table))
        settings = json.dumps(dataclasses.asdict(self.settings), indent=1, ensure_ascii=False)
        (self.out / "settings.json").write_text(settings, encoding="utf8", errors="replace")
        counts = Counts.of(read_rows(everything))
        page = write_report(self.out, everything, counts, thresholds, self.settings)
        return Finished(counts, table, page)

    def _with_files(self) -> Iterator[Row]:
        """All rows, the kept ones with their files."""
        chosen = read_rows(self._file("chosen"))
        for _, group in itertools.groupby(chosen, lambda row: row["source"]):
            rows = list(group)
            first = next(filter(is_open, rows), None)
            found = {}
            if first is not None:
                file = self.out / WORK / "written" / f"{first['id']}.jsonl"
                found = {row["id"]: row for row in read_rows(file)}
            yield from (found.get(row.get("id"), row) for row in rows)
