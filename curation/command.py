"""python dev.py curate FOLDER --out DIR: from raw videos to a data set, see docs/curation.md."""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..foreign_text import printable
from .job import Job
from .runner import Curation, Finished
from .settings import read_settings
from .stage import NO_ROOM

if TYPE_CHECKING:
    from .ray_workers import RayWorkers

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
    parser.add_argument(
        "--ray", metavar="ADDRESS", help="work on a Ray cluster: local, auto, host:6379 or ray://host:10001"
    )
    parser.add_argument("--retry", action="store_true", help="try videos that failed before once more")
    return parser.parse_args(argv)


def curate(options: argparse.Namespace) -> int:
    """Runs it; the exit status."""
    count = options.workers
    if count is not None and count < (0 if options.ray is None else 1):
        least = "0 or more" if options.ray is None else "1 or more on a cluster"
        raise ValueError(f"workers={count} must be {least}; as many as processors is usual.")
    here = Path(os.environ.get("ZOETROPE_CALLED_IN", "."))  # dev.py works in its own folder
    config = None if options.config is None else here / options.config
    settings = read_settings(config)
    job = Job((here / options.folder).resolve(), (here / options.out).resolve(), settings)
    if options.ray is None:
        if count is None:  # each one holds the captioners
            count = 1 if settings.captioners else os.cpu_count() or 1
        return tell(Curation(job, count, Progress()).run(options.retry))
    with on_cluster(options.ray, count or 0) as hire:
        return tell(Curation(job, told=Progress(), hire=hire).run(options.retry))


@contextlib.contextmanager
def on_cluster(address: str, count: int) -> Iterator[Callable[[Job], RayWorkers]]:
    """Connects to a Ray cluster, whose workers the run gets. count: of them, 0 = one for each processor."""
    from ..cluster.connecting import LOCAL, connect
    from .ray_workers import RayWorkers

    with connect(address, num_cpus=count or None if address == LOCAL else None) as cluster:
        hosts = cluster.hosts
        print(
            f"Ray at {printable(address)}: {len(hosts)} {'host' if len(hosts) == 1 else 'hosts'}", flush=True
        )
        yield lambda job: RayWorkers(job, cluster, count, lambda text: print(f"\n{text}", flush=True))


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
