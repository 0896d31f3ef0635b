"""What a stage is: `stage(rows) -> rows`, with `setup()` once in each worker.

A stage is pickled before `setup`, so that it may run in another process or on another computer. What fails
for a row becomes its `error`, and the row goes on; rows that failed or were dropped pass through.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Sequence

from .rows import Row, failed, is_open

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
RESOURCES = {"cpu": 1, "gpu": 0}


class Stage:
    """One step of curation. name: for messages. resources: what a worker of it takes."""

    name = "stage"
    resources = RESOURCES

    def setup(self) -> None:
        """Loads what the stage needs. Raises ValueError where something is missing."""

    def rows_of(self, row: Row) -> Iterable[Row]:
        """What becomes of one row: the rows of its clips, or itself with more columns."""
        raise NotImplementedError

    def __call__(self, rows: Sequence[Row]) -> list[Row]:
        """What becomes of some rows, in their order. A full disk and an interrupt end the run."""
        found: list[Row] = []
        for row in rows:
            if not is_open(row):
                found.append(row)
                continue
            try:
                found.extend(self.rows_of(row))
            except Exception as error:
                if isinstance(error, OSError) and error.errno in NO_ROOM:
                    raise
                found.append(failed(row, self.name, error))
        return found


def run_stages(stages: Sequence[Stage], rows: Sequence[Row]) -> list[Row]:
    """The rows after all stages, which have been set up."""
    for stage in stages:
        rows = stage(rows)
    return list(rows)
