"""One headless Chromium for all tests of a process, with ComfyUI's front end in it; session.cjs is the other end."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from pathlib import Path

import pytest

dev = sys.modules["zoetrope_dev"]
HERE = Path(__file__).resolve().parent
ARTEFACTS = Path(os.environ.get("ZOETROPE_ARTEFACTS", dev.HOME / "artefacts"))


class Browser:
    """Drives the page; `browser.run(seconds=60)` sends {"do": "run", "seconds": 60} and returns the result. Raises RuntimeError."""

    def __init__(self, url: str):
        task = json.dumps({"url": url, "chromium": dev.find_chromium()})
        environment = {"NODE_PATH": str(dev.HOME / "node" / "node_modules"), **os.environ}
        self.process = subprocess.Popen(
            ["node", str(HERE / "session.cjs"), task], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf8",
            env=environment,
        )  # fmt: skip
        self.answers: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        for line in self.process.stdout:
            self.answers.put(line)
        self.answers.put("")

    def __getattr__(self, command: str):
        if command.startswith("_"):
            raise AttributeError(command)

        def call(**options):
            self.process.stdin.write(json.dumps({"do": command, **options}) + "\n")
            self.process.stdin.flush()
            line = self.answers.get(timeout=options.get("seconds", 300) + 200)
            if not line:
                raise RuntimeError(f"the browser ended with status {self.process.wait(timeout=30)} at {command}")
            answer = json.loads(line)
            if "error" in answer:
                raise RuntimeError(f"{command} {options}: {answer['error']}")
            return answer["result"]

        return call

    def end(self):
        self.process.stdin.close()
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()


@pytest.fixture(scope="session")
def chromium(comfy_server):
    """The one Browser of this process, in whatever state the test before left it."""
    trouble = dev.browser_trouble()
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
