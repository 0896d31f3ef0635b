"""A real ComfyUI in a process of its own, and what is asked of it over HTTP."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path

from . import paths
from .base_folder import make_base
from .ending import Stop
from .processes import child_environment, ending_with_us


class ComfyError(RuntimeError):
    """A prompt that ComfyUI refused, or that failed while it ran; `details` is what the server said."""

    def __init__(self, message, details):
        super().__init__(message)
        self.details = details


class ComfyServer:
    """A real ComfyUI in a process of its own, with this pack alone as custom node and a base folder of ours.

    `log` is the file its output goes to, or None for the terminal.
    Use it as a context manager, or start() and stop().
    """

    def __init__(self, python, comfyui, base, log=None, port=None, options=("--cpu", "--disable-api-nodes")):
        self.python, self.comfyui, self.base = python, comfyui, Path(base)
        self.log, self.options, self.port = log, options, port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = None
        no_proxy = urllib.request.ProxyHandler({})
        self._open = urllib.request.build_opener(no_proxy).open

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *error):
        self.stop()

    def start(self, patience=300):
        """Starts the server and returns when it answers. Raises Stop with its last words when it does not."""
        make_base(self.base)
        if self.log:
            self.log.parent.mkdir(parents=True, exist_ok=True)
        with open(self.log, "wb") if self.log else contextlib.nullcontext() as book:
            self.process = subprocess.Popen(
                self._command(), stdout=book, stderr=subprocess.STDOUT if book else None,
                stdin=subprocess.DEVNULL, cwd=self.base, env=child_environment(), **in_a_group_of_its_own(),
            )  # fmt: skip
        try:
            self._wait(patience)
        except BaseException:
            self.stop()
            raise

    def _command(self):
        database = (self.base / "user" / "comfyui.db").as_posix()
        command = [self.python, *ending_with_us(), self.comfyui / "main.py", "--port", self.port]
        command += ["--base-directory", self.base, "--database-url", f"sqlite:///{database}"]
        command += ["--disable-auto-launch", "--disable-all-custom-nodes"]
        command += ["--whitelist-custom-nodes", paths.PACK]
        return [str(part) for part in (*command, *self.options)]

    def _wait(self, patience):
        deadline = time.monotonic() + patience
        while not self._answers():
            dead = self.process.poll() is not None
            if dead or time.monotonic() > deadline:
                what = "ended" if dead else "did not answer"
                log = self.log or "above"
                raise Stop(f"ComfyUI {what} while starting: {self.last_words()} (log: {log}).")
            time.sleep(0.3)

    def _answers(self):
        try:
            return bool(self.request("/system_stats"))
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def last_words(self, lines=1):
        """Returns the end of the log."""
        if not self.log or not self.log.is_file():
            return ""
        text = self.log.read_text(encoding="utf8", errors="replace")
        return "\n".join(text.rstrip().splitlines()[-lines:])

    def stop(self):
        """Ends the server and what it started: asked first, forced after ten seconds."""
        if self.process is None or self.process.poll() is not None:
            return
        if os.name == "nt":
            self.process.terminate()
        else:
            os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def request(self, path, body=None, timeout=300):
        """Sends a GET, or a POST of `body` as JSON, and returns the parsed answer.

        Raises urllib.error.HTTPError on 4xx and 5xx.
        """
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, data=data, headers=headers)
        with self._open(request, timeout=timeout) as answer:
            content = answer.read()
        return json.loads(content) if content else None

    def object_info(self):
        return self.request("/object_info")

    def prompt(self, graph, patience=600, on_progress=None):
        """Runs a graph in API format and returns its history entry.

        Raises ComfyError when it is refused, fails, or is not done after `patience` seconds.
        """
        job = self._submit(graph)
        deadline = time.monotonic() + patience
        while (entry := self._finished(job)) is None:
            if self.process.poll() is not None:
                raise ComfyError(f"ComfyUI ended while it ran the workflow: {self.last_words()}", {})
            if time.monotonic() > deadline:
                self.request("/interrupt", {})
                raise ComfyError(f"The workflow was not done after {patience} seconds.", {})
            if on_progress:
                on_progress(self.sampling_step())
            time.sleep(0.2)
        return entry

    def _submit(self, graph):
        """Hands a graph to ComfyUI and returns its number. Raises ComfyError when it is refused."""
        try:
            return self.request("/prompt", {"prompt": graph, "client_id": uuid.uuid4().hex})["prompt_id"]
        except urllib.error.HTTPError as error:
            details = json.loads(error.read() or b"{}")
            raise ComfyError(refusal(details), details) from None

    def _finished(self, job):
        """Returns the history entry of a prompt, None while it runs. Raises ComfyError when it has failed."""
        try:
            entry = self.request(f"/history/{job}").get(job)
        except urllib.error.HTTPError:
            raise
        except (urllib.error.URLError, ConnectionError):
            return None  # prompt() looks whether ComfyUI has ended
        status = entry["status"]["status_str"] if entry else ""
        if status == "error":
            raise failure(entry)
        return entry if status == "success" else None

    def sampling_step(self):
        """Returns "step 7 of 20" as ComfyUI's log has it, or nothing."""
        steps = re.findall(r"(\d+)/(\d+) \[", self.last_words(3))
        return "step {} of {}".format(*steps[-1]) if steps else ""

    def output_files(self, entry):
        """Returns the paths of the files that a history entry names, in the order of its nodes."""
        items = [item for output in entry["outputs"].values() for files in output.values() for item in files]
        files = [item for item in items if isinstance(item, dict) and "filename" in item]
        return [self.base / item["type"] / item["subfolder"] / item["filename"] for item in files]


def in_a_group_of_its_own():
    """Returns Popen's options for a program that a Ctrl-C in this terminal does not reach."""
    if os.name == "nt":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


def refusal(details):
    """Returns one sentence of what /prompt answers to a graph that does not pass its checks."""
    found = []
    for node in details.get("node_errors", {}).values():
        for error in node["errors"]:
            found.append(f"{node['class_type']}: {error['message']} ({error['details']})")
    error = details.get("error", {})
    message = error.get("message") if isinstance(error, dict) else str(error)
    return "; ".join(found) or message or "ComfyUI refused the prompt."


def failure(entry):
    """Returns the ComfyError of a history entry whose prompt failed."""
    messages = entry["status"]["messages"]
    details = next((what for kind, what in messages if kind.startswith("execution_e")), {})
    where, what = details.get("node_type", "the run"), details.get("exception_message", "no message").strip()
    return ComfyError(f"{where}: {what}", details)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def port_is_free(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
