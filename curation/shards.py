"""The planned videos in shards, and the file of a shard: all its rows, when all its videos are done.

The file is the mark that a shard is done with some settings. A later run asks for one file instead of a
thousand, and reads the rows in one go. A shard ends behind a video whose name says so: a new video in the
folder changes its own shard only.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator

from ..foreign_text import printable
from .rows import ERROR, Row, read_rows, to_line, write_rows

VIDEOS = 1000
"""Of a shard, in the mean; four times as many at most."""
PATIENCE, SOON = 120.0, 0.5
"""Seconds until a result that another host wrote has to be seen here, and between looks."""


def shards_of(sources: Iterable[Row]) -> Iterator[list[Row]]:
    """The planned videos, shard by shard."""
    shard: list[Row] = []
    for source in sources:
        shard.append(source)
        name = source["source"].encode("utf8", "surrogatepass")
        is_last = int.from_bytes(hashlib.sha256(name).digest()[:8], "big") % VIDEOS == 0
        if is_last or len(shard) == 4 * VIDEOS:
            yield shard
            shard = []
    if shard:
        yield shard


def shard_name(shard: list[Row]) -> str:
    """Of the file of a shard: another one when a video in it is new, gone or changed."""
    digest = hashlib.sha256()
    for source in shard:
        digest.update(to_line(source).encode("utf8"))
    return f"{digest.hexdigest()[:24]}.jsonl"


class Shards:
    """The shards of a plan with the results of a job. folder: of the files of shards."""

    def __init__(self, job, plan: Iterable[Row]) -> None:
        self.job, self.plan = job, plan
        self.folder = job.result_folder() / "shards"
        self.under_way: dict[str, list] = {}  # video -> [how many of its shard are missing, the shard]
        self.late: list[list[Row]] = []  # shards that are done, with a result that is not seen here yet

    def __iter__(self) -> Iterator[list[Row]]:
        return shards_of(self.plan)

    def left_of(self, shard: list[Row]) -> list[Row]:
        """The videos of a shard that are not done; where none is left, the shard has its file."""
        if (self.folder / shard_name(shard)).exists():
            return []
        left = [row for row in shard if ERROR not in row and not self.job.result_file(row).exists()]
        if not left:
            self._write(shard)
        return left

    def left(self) -> Iterator[Row]:
        """All videos that are not done. `done` has to be told of each."""
        for shard in self:
            left = self.left_of(shard)
            state = [len(left), shard]
            for source in left:
                self.under_way[source["source"]] = state
            yield from left

    def done(self, source: Row) -> None:
        """A video that `left` gave has its result."""
        state = self.under_way.pop(source["source"])
        state[0] -= 1
        if not state[0] and not self._write(state[1]):
            self.late.append(state[1])

    def finish(self) -> None:
        """Waits for results that another host has written: a share shows them here after a while.

        Raises ValueError where one does not come. Files of shards that are not in the plan any more go."""
        until = time.monotonic() + PATIENCE
        while self.late:
            if self._write(self.late[-1]):
                self.late.pop()
            elif time.monotonic() > until:
                lost = [row["source"] for row in self.left_of(self.late[-1])]
                raise ValueError(
                    f"the results of '{printable(lost[0] if lost else '')}' and {max(0, len(lost) - 1)} other"
                    f" videos were written and are not in '{printable(str(self.job.out), 400)}'; look whether"
                    " all hosts have the same folder there, and run the same command again."
                )
            else:
                time.sleep(SOON)
        names = {shard_name(shard) for shard in self}
        for file in self.folder.glob("*.jsonl"):
            if file.name not in names:
                file.unlink(missing_ok=True)

    def rows(self) -> Iterator[Row]:
        """All rows of all videos, in the order of the plan, when all are done."""
        for shard in self:
            yield from read_rows(self.folder / shard_name(shard))

    def forget_failed(self) -> None:
        """Videos in which something failed are not done any more."""
        for shard in self:
            file, levels = self.folder / shard_name(shard), range(len(self.job.levels))
            if file.exists() and not any(ERROR in row for row in read_rows(file)):
                continue
            for source in shard:
                result = self.job.result_file(source)
                if result.exists() and any(ERROR in row for row in read_rows(result)):
                    for level in levels:
                        self.job.result_file(source, level).unlink(missing_ok=True)
            file.unlink(missing_ok=True)

    def _write(self, shard: list[Row]) -> bool:
        """The file of a shard whose videos are all done; whether all results are seen here."""
        rows = (row for source in shard for row in self.job.rows(source))
        try:
            write_rows(self.folder / shard_name(shard), rows)
        except FileNotFoundError:
            return False
        return True
