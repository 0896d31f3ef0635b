"""The programs that dev.py starts: their environment, their output, their end."""

import contextlib
import itertools
import os
import queue
import signal
import subprocess
import sys
import threading

from . import lock, paths
from .ending import Terminated

FOREIGN = ("PYTHONPATH", "PYTHONHOME", "PYTHONSAFEPATH", "PIP_USER", "PIP_TARGET")


def child_environment(**more):
    """Returns the environment of every program we start: our caches, and nothing of the user's Python."""
    environment = {key: value for key, value in os.environ.items() if key not in FOREIGN}
    environment.update(PYTHONNOUSERSITE="1", PYTHONUTF8="1", PIP_USER="0")
    environment.update(PYTHONPYCACHEPREFIX=str(paths.HOME / "pycache"), **more)
    return environment


def ask(python, code, *arguments):
    """Runs a line of Python in another interpreter and returns the finished process with its output."""
    command = [str(python), "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=child_environment())


def run_logged(command, log, progress, describe=str.strip):
    """Runs a command and writes all it says to `log`; returns (exit status, the lines).

    `progress` shows what `describe` makes of the latest line that it does not make nothing of.
    """
    command, lines, latest = [str(part) for part in command], [], ""
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "a", encoding="utf8") as book:
        book.write(f"\n$ {' '.join(command)}\n")
        with _listened_to(command) as process:
            for line in _lines_of(process):
                if line:
                    book.write(line)
                    book.flush()
                    lines.append(line.rstrip())
                    latest = describe(lines[-1]) or latest
                progress.detail(latest)
    return process.returncode, lines


@contextlib.contextmanager
def _listened_to(command):
    """Starts a program whose output is read, and waits for its end; it is killed when we are ended."""
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        cwd=paths.HOME, env=child_environment(), encoding="utf8", errors="replace", pass_fds=lock.inherited,
    )  # fmt: skip
    try:
        yield process
    except BaseException:
        process.kill()
        raise
    finally:
        process.wait()


def _lines_of(process):
    """Yields each line that a program says, and nothing ("") after each second in which it says none."""
    said = queue.Queue()

    def listen():
        for line in itertools.chain(process.stdout, [None]):
            said.put(line)

    threading.Thread(target=listen, daemon=True).start()
    while True:
        try:
            line = said.get(timeout=1)
        except queue.Empty:
            line = ""
        if line is None:
            return
        yield line


def run_visibly(command, environment):
    """Runs a command in this terminal and returns its status; interrupted, it has time to end in order."""
    process = subprocess.Popen([str(part) for part in command], cwd=paths.ROOT, env=environment)
    try:
        return process.wait()
    except KeyboardInterrupt as interrupt:
        if isinstance(interrupt, Terminated):  # Ctrl-C reaches the whole terminal by itself
            process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
        raise


def ending_with_us():
    """Returns what stands before the script of a Python program that must not outlive this process.

    The system's own mark (Linux only) survives the start of the script, which takes the place of these two
    lines; it works even when this process is killed.
    """
    if sys.platform != "linux":
        return []
    mark = "import ctypes, os, signal, sys; ctypes.CDLL(None).prctl(1, signal.SIGTERM)"
    return ["-c", f"{mark}; os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"]
