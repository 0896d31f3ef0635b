"""One headless Chromium for all tests of a process, with ComfyUI's front end in it;
session.cjs is the other end.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import threading
from pathlib import Path

import pytest
from zoetrope.devtools.browser import browser_trouble, find_chromium
from zoetrope.devtools.paths import HOME

HERE = Path(__file__).resolve().parent
ARTEFACTS = Path(os.environ.get("ZOETROPE_ARTEFACTS", HOME / "artefacts"))


class Browser:
    """Drives the page; `browser.run(seconds=60)` sends {"do":
    "run", "seconds": 60} and returns the result. Raises RuntimeError.

    A browser that does not answer in time is ended, and `open` starts another, but only LIVES in all: then
    every call fails at once.
    """

    LIVES = 3
    GIVEN = 300.0  # seconds that session.cjs gives a command by itself
    # seconds beyond those that a command is given; the longest is given 400, and a test ends after 600
    PATIENCE = 180.0

    def __init__(self, url: str):
        self.command = [
            "node",
            str(HERE / "session.cjs"),
            json.dumps({"url": url, "chromium": find_chromium()}),
        ]
        self.lives = 0
        self.process: subprocess.Popen | None = None
        self._start()

    def _start(self):
        self.lives += 1
        environment = {"NODE_PATH": str(HOME / "node" / "node_modules"), **os.environ}
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf8",
            env=environment,
            start_new_session=True,
        )
        self.answers: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, args=(self.process, self.answers), daemon=True).start()

    @staticmethod
    def _listen(process, answers):
        for line in process.stdout:
            answers.put(line)
        answers.put("")

    def __getattr__(self, command: str):
        if command.startswith("_"):
            raise AttributeError(command)

        def call(**options):
            if self.process is None and command == "open" and self.lives < self.LIVES:
                self._start()
            if self.process is None:
                raise RuntimeError(
                    f"there is no browser for {command}: it stopped answering before, {self.lives} of"
                    f" {self.LIVES} times"
                )
            try:
                self.process.stdin.write(json.dumps({"do": command, **options}) + "\n")
                self.process.stdin.flush()
                line = self.answers.get(timeout=options.get("seconds", self.GIVEN) + self.PATIENCE)
            except (queue.Empty, BrokenPipeError) as error:
                self._kill()
                raise RuntimeError(
                    f"the browser did not answer to {command} {options} and was ended"
                ) from error
            if not line:
                self._kill()
                raise RuntimeError(f"the browser ended at {command} {options}")
            answer = json.loads(line)
            if "error" in answer:
                raise RuntimeError(f"{command} {options}: {answer['error']}")
            return answer["result"]

        return call

    def _kill(self):
        """Ends Node and the browser that it started, at once."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except (ProcessLookupError, AttributeError):  # ended by itself; no process groups on Windows
            self.process.kill()
        self.process.wait(timeout=30)
        self.process = None

    def end(self):
        if self.process is None:
            return
        self.process.stdin.close()
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._kill()


@pytest.fixture(scope="session")
def chromium(comfy_server):
    """The one Browser of this process, in whatever state the test before left it."""
    trouble = browser_trouble()
    if trouble:
        pytest.fail(f"The browser tests cannot run: {trouble}.", pytrace=False)
    browser = Browser(comfy_server.url)
    yield browser
    browser.end()


@pytest.fixture(scope="module")
def browser(chromium):
    """The browser with the English front end, classic canvas, freshly loaded for this module."""
    chromium.open()
    chromium.troubles()
    return chromium
