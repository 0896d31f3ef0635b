"""What a worker does: everything of one source video at a time, with its results kept in files.

A result is there only when it is whole, and is called after what it was made with; so a run that was killed
goes on where it stopped, and changed settings redo what depends on them only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from .aesthetic import AestheticHead
from .export import PREVIEWS, WORK, WriteClips, check_parquet
from .features import ClipFolder
from .measures.captions import captioners_of
from .measures.codec_motion import CodecMotion
from .measures.look import Measure, MeasureClips
from .measures.motion import FlowMotion
from .measures.pictures import ClipScores, Pictures, TextArea
from .rows import ERROR, Row, failed, read_rows, write_rows
from .settings import Settings
from .shots import FindClips, Probe
from .sources import work_name
from .stage import Stage, run_stages

VERSION = "2"
"""Goes up when a stage gives other numbers, so that kept results are not taken."""


class Level:
    """Stages whose results are kept together. name: of their folder; fingerprint: of their settings."""

    def __init__(self, name: str, fingerprint: str, stages: list[Stage]) -> None:
        self.folder, self.stages = f"{name}-{fingerprint}", stages


class Job:
    """folder: of the raw videos. out: of the data set. stop: may raise, and is called between packets.

    measures: in place of those that the settings name, with a text that tells them from others."""

    def __init__(
        self, folder: Path, out: Path, settings: Settings, stop: Callable[[], None] = int,
        measures: tuple[list[Measure], str] | None = None,
    ) -> None:  # fmt: skip
        self.folder, self.out, self.settings, self.stop = Path(folder), Path(out), settings, stop
        self.own_measures = measures
        self.is_ready = False

    def setup(self) -> None:
        """Loads what all stages need, once. Raises ValueError where something is missing."""
        for level in self.levels:
            for stage in level.stages:
                stage.setup()
        if "parquet" in self.settings.export.formats:
            check_parquet()
        self.is_ready = True

    @property
    def levels(self) -> list[Level]:
        """Shots, what is measured of them, and what captioners say of them where there are any."""
        if not hasattr(self, "_levels"):
            shots = f"{VERSION}-{self.settings.fingerprint('cuts', 'clips')}"
            measured = self.settings.fingerprint("motion", "text", "scores")
            measures, told = self.own_measures or (self._measures(), "")
            measured = f"{shots}-{measured}{told}"
            stages = [Probe(self.folder), FindClips(self.folder, self.settings, self.stop)]
            self._levels = [
                Level("shots", shots, stages),
                Level("scores", measured, [MeasureClips(self.folder, measures, self.stop)]),
            ]
            if self.settings.captioners:
                described = f"{measured}-{self.settings.fingerprint('captioners')}"
                captioners = [captioners_of(self.settings.captioners)]
                stage = MeasureClips(self.folder, captioners, self.stop, "captioners")
                self._levels.append(Level("captions", described, [stage]))
        return self._levels

    def _measures(self) -> list[Measure]:
        settings, measures = self.settings, []
        if settings.motion.tier == "codec":
            measures.append(CodecMotion())
        elif settings.motion.tier != "none":
            measures.append(FlowMotion(settings.motion))
        scores = [TextArea(settings.text.side)] if settings.text.area else []
        if settings.scores.clip:
            head = AestheticHead(settings.scores.aesthetic) if settings.scores.aesthetic else None
            scores.append(ClipScores(ClipFolder(settings.scores.clip), head))
        return [*measures, Pictures(scores, self.out / PREVIEWS)]

    def result_folder(self, level: int = -1) -> Path:
        """Of all results of a level with these settings."""
        return self.out / WORK / self.levels[level].folder

    def result_file(self, source: Row, level: int = -1) -> Path:
        """Where the rows of a source lie when a level is done."""
        return self.result_folder(level) / work_name(source)

    def scan(self, source: Row, levels: int | None = None) -> tuple[int, int]:
        """Does what is not done yet of a source, of the first so many levels, or all: (rows, errors)."""
        rows = [source]
        for number, level in enumerate(self.levels[:levels]):
            file = self.result_file(source, number)
            if file.exists():
                rows = list(read_rows(file))
                continue
            self.make_ready()
            rows = run_stages(level.stages, rows)
            write_rows(file, rows)
        return len(rows), sum(ERROR in row for row in rows)

    def make_ready(self) -> None:
        """`setup`, where that has not been done."""
        if not self.is_ready:
            self.setup()

    def give_up(self, source: Row, why: str) -> None:
        """Keeps that a source ended its worker, so that its row is not lost."""
        write_rows(self.result_file(source), [failed(source, "worker", why)])

    def rows(self, source: Row, level: int = -1) -> Iterator[Row]:
        """The rows of a source that has been scanned, or its own where it failed before."""
        return iter([source]) if ERROR in source else read_rows(self.result_file(source, level))

    def export(self, rows: list[Row]) -> list[Row]:
        """Writes the clips of some rows; the rows with their files."""
        return WriteClips(self.folder, self.out, self.settings.export, self.stop)(rows)
