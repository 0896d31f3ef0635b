"""What the person at the keyboard sees: sentences, numbered steps, durations."""

import contextlib
import shutil
import sys
import time

from . import paths


class Progress:
    """Prints numbered steps with their duration; on a terminal the current step keeps one live line."""

    def __init__(self, total=0):
        self.total, self.number, self.title, self.begun, self.said = total, 0, "", 0.0, 0.0
        self.live = sys.stdout.isatty()

    @contextlib.contextmanager
    def step(self, title):
        self.number, self.title = self.number + 1, title
        self.begun = self.said = time.monotonic()
        self._write(f"{self._label()} ...", end=not self.live)
        try:
            yield self
        except BaseException:
            self._write(f"{self._label()}: not finished ({self.elapsed()})")
            raise
        self._write(f"{self._label()}: done ({self.elapsed()})")

    def detail(self, text):
        """Shows what the step is doing now; without a terminal one line every 20 seconds is enough."""
        if self.live:
            self._write(f"{self._label()} ({self.elapsed()}) {text}", end=False)
        elif time.monotonic() - self.said > 20:
            self.said = time.monotonic()
            self._write(f"{self._label()} ({self.elapsed()}) {text}")

    def elapsed(self):
        return clock(time.monotonic() - self.begun)

    def _label(self):
        return f"[{self.number}/{self.total}] {self.title}"

    def _write(self, text, end=True):
        if self.live:
            width = shutil.get_terminal_size().columns - 1
            text = "\r" + text[:width].ljust(width)
        sys.stdout.write(text + ("\n" if end else ""))
        sys.stdout.flush()


def clock(seconds):
    """Returns a duration as minutes and seconds: 83.7 is "1:23"."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def say(text=""):
    print(text, flush=True)


def time_of(what, roughly):
    """Says how long a part of this script took when it last ran here, else `roughly`."""
    try:
        return f"last time it took {clock(float(_time_file(what).read_text(encoding='utf8')))}"
    except (OSError, ValueError):
        return roughly


def keep_time(what, seconds):
    """Keeps how long a part of this script took, for time_of."""
    _time_file(what).parent.mkdir(parents=True, exist_ok=True)
    _time_file(what).write_text(f"{seconds:.1f}", encoding="utf8")


def _time_file(what):
    return paths.HOME / "logs" / f"{what}.seconds"
