"""A real ComfyUI server for tests, and the HTTP client to drive it."""

from __future__ import annotations

import atexit
import functools
import json
import shutil
import sys
import tempfile
import urllib.parse
import urllib.request
import uuid
from pathlib import Path

import pytest
from zoetrope.devtools.base_folder import make_base, put_demo_weights, put_example_inputs
from zoetrope.devtools.comfyui import find_comfyui
from zoetrope.devtools.ending import Stop
from zoetrope.devtools.inside import enter_comfyui
from zoetrope.devtools.server import ComfyServer


@functools.cache
def comfyui_in_this_process() -> Path:
    """Makes `import comfy` work here, on the CPU,
    and returns the base folder it uses, which goes when the process ends.
    """
    base = tempfile.mkdtemp(prefix="zoetrope-comfy-")
    atexit.register(shutil.rmtree, base, ignore_errors=True)
    enter_comfyui(find_comfyui(), base)
    return Path(base)


class Server(ComfyServer):
    """dev.py's server with what tests need besides: uploads, downloads, freed memory.

    `prompt(graph)` runs a graph in API format and returns its history entry. It raises ComfyError with a
    sentence and, as `details`, the server's answer: `details["node_errors"]` of a graph that was refused,
    `details["exception_message"]` and `details["node_id"]` of one that failed while it ran.
    """

    running: list[Server] = []

    def start(self, patience=300):
        """As dev.py's; servers of tests that came before give back their models,
        so that memory does not add up.
        """
        for other in self.running:
            other.free()
        super().start(patience)
        self.running.append(self)

    def stop(self):
        super().stop()
        if self in self.running:
            self.running.remove(self)

    def prompt(self, *arguments, **options):
        """As dev.py's; when the test is ended in the middle,
        say by its time limit, the server starts anew for the next ones.
        """
        try:
            return super().prompt(*arguments, **options)
        except Exception:
            raise
        except BaseException:
            self.stop()
            self.start()
            raise

    def upload_image(self, path, name=None):
        """Puts an image or video file into the server's input folder
        and returns the name that LoadImage knows it by.
        """
        edge = uuid.uuid4().hex
        head = (
            f'--{edge}\r\nContent-Disposition: form-data; name="image";'
            f' filename="{name or path.name}"\r\n\r\n'
        )
        tail = (
            f'\r\n--{edge}\r\nContent-Disposition: form-data; name="overwrite"\r\n\r\ntrue\r\n--{edge}--\r\n'
        )
        request = urllib.request.Request(
            f"{self.url}/upload/image",
            data=head.encode() + path.read_bytes() + tail.encode(),
            headers={"Content-Type": f"multipart/form-data; boundary={edge}"},
        )
        with self._open(request, timeout=300) as answer:
            return json.loads(answer.read())["name"]

    def view(self, file):
        """Returns the bytes of a file as a history entry names it: {"filename", "subfolder", "type"}."""
        query = urllib.parse.urlencode({key: file[key] for key in ("filename", "subfolder", "type")})
        with self._open(f"{self.url}/view?{query}", timeout=300) as answer:
            return answer.read()

    def free(self):
        """Makes the server forget cached outputs and loaded models,
        so that the next prompt runs every node.
        """
        self.request("/free", {"unload_models": True, "free_memory": True})
        # The server does so between two prompts;
        # the next one may be quicker than that, and would still see what was loaded.
        image = {"class_type": "EmptyImage", "inputs": {"width": 8, "height": 8, "batch_size": 1, "color": 0}}
        self.prompt({"1": image, "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}}})

    def log_text(self):
        return self.log.read_text(encoding="utf8", errors="replace")


def make_server_base(tmp_path_factory) -> Path:
    """Makes the base folder of a server, with the demo's weights among its models, and returns it."""
    base = make_base(tmp_path_factory.mktemp("comfy-server") / "base")
    for folder in ("controlnet", "loras", "vae"):
        (base / "models" / folder).mkdir(exist_ok=True)
    put_demo_weights(base / "models")
    put_example_inputs(base / "input")
    return base


@pytest.fixture(scope="session")
def comfy_models(tmp_path_factory):
    """The models folder of `comfy_server`, with the demo's weights; fixtures and tests add their own
    stand-ins to its sub-folders.
    """
    return make_server_base(tmp_path_factory) / "models"


@pytest.fixture(scope="session")
def comfy_server(comfy_models):
    """A running ComfyUI with this pack;
    a ComfyUI that does not start fails the tests with the end of its log.
    """
    base = comfy_models.parent
    server = Server(sys.executable, find_comfyui(), base, log=base.parent / "server.log")
    try:
        server.start()
    except Stop as stop:
        pytest.fail(f"{stop}\n{server.last_words(40)}", pytrace=False)
    yield server
    server.stop()
