"""python dev.py curate FOLDER --out DIR: from raw videos to a data set, see docs/curation.md."""

from __future__ import annotations

import argparse
import errno
import os
import shutil
import sys
import time
from pathlib import Path

from ..foreign_text import printable
from .job import Job
from .runner import Curation, Finished
from .settings import read_settings
from .stage import NO_ROOM

DONE, FAILED, SOME_FAILED, NOTHING_KEPT, STOPPED = 0, 1, 3, 4, 130
"""Exit statuses: all done; nothing was made; done, but videos failed; done, and no clip is left; stopped."""
BAR, LINE_SECONDS = 24, 10.0


class Progress:
    """A bar with an estimate on a terminal, else a line now and then."""

    def __init__(self) -> None:
        self.what, self.begun, self.first, self.said = "", 0.0, 0, 0.0
        self.live = sys.stdout.isatty()

    def __call__(self, what: str, done: int, total: int, more: str) -> None:
        now = time.monotonic()
        if what != self.what:
            if self.live and self.what:
                print(flush=True)
            self.what, self.begun, self.first, self.said = what, now, done, 0.0
        if done < total and now - self.said < (0.2 if self.live else LINE_SECONDS):
            return
        self.said = now
        line = f"{what}: {done}"
        if total:
            share = int(BAR * done / total)
            left = (now - self.begun) / max(1, done - self.first) * (total - done)
            line = f"[{'#' * share}{'.' * (BAR - share)}] {what}: {done} of {total}"
            if self.first < done < total:
                line += f", {int(left) // 60}:{int(left) % 60:02} left"
        line += f", {more}" if more else ""
        if self.live:
            width = shutil.get_terminal_size().columns - 1
            print("\r" + line[:width].ljust(width), end="", flush=True)
        else:
            print(line, flush=True)


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="dev.py curate", description=__doc__)
    parser.add_argument("folder", type=Path, help="the folder of the raw videos")
    parser.add_argument("--out", type=Path, required=True, help="the folder of the data set")
    parser.add_argument("--config", type=Path, help="a TOML or JSON file; docs/curation.toml says all of it")
    parser.add_argument(
        "--workers", type=int, help="processes; 0 = this one; as many as cores, one where captioners are set"
    )
    parser.add_argument("--retry", action="store_true", help="try videos that failed before once more")
    return parser.parse_args(argv)


def curate(options: argparse.Namespace) -> int:
    """Runs it; the exit status."""
    if options.workers is not None and options.workers < 0:
        raise ValueError(f"workers={options.workers} must be 0 or more; as many as cores is usual.")
    here = Path(os.environ.get("ZOETROPE_CALLED_IN", "."))  # dev.py works in its own folder
    config = None if options.config is None else here / options.config
    settings = read_settings(config)
    workers = options.workers
    if workers is None:  # each one holds the captioners
        workers = 1 if settings.captioners else os.cpu_count() or 1
    job = Job((here / options.folder).resolve(), (here / options.out).resolve(), settings)
    finished = Curation(job, workers, Progress()).run(options.retry)
    return tell(finished)


def tell(finished: Finished) -> int:
    """Says what came out; the exit status."""
    print("\n" + "\n".join(finished.counts.lines()))
    print(f"table: {printable(str(finished.table), 1000)}\nreport: {printable(str(finished.page), 1000)}")
    if not finished.counts.kept:
        print("No clip is left; the report says what took them. Lower the bounds in [keep].")
        return NOTHING_KEPT
    return SOME_FAILED if finished.counts.errors else DONE


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    try:
        return curate(parse(argv))
    except KeyboardInterrupt:
        print("\nStopped; the same command goes on.", file=sys.stderr)
        return STOPPED
    except OSError as error:
        full = error.errno in NO_ROOM
        reason = "the disk is full; free some room" if full else printable(error)
        if not full and error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR):
            raise
        print(f"\nStopped: {reason}. The same command goes on.", file=sys.stderr)
    except ValueError as error:
        print(f"\n{printable(error, 1000)}", file=sys.stderr)
    return FAILED


if __name__ == "__main__":
    sys.exit(main())
