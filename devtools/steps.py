"""The parts of a set-up, each with a stamp that says that it is done."""

import hashlib
import os
import shutil
import sys

from . import paths
from .browser import PLAYWRIGHT, install_playwright
from .comfyui_download import COMFYUI_SHA256, COMFYUI_TAG, fetch_comfyui
from .environment import make_venv, pip_command, pip_install, venv_python
from .torchvision_shim import mend_torchvision

TORCH = ["torch==2.13.0"]
TORCH_FAMILY = ["torchvision==0.28.0", "torchaudio==2.11.0"]
BARE_PACKAGES = ["numpy", "einops", "safetensors", "psutil", "av>=16", "pillow", "pytest>=8", "ruff"]
CURATION_PACKAGES = ["opencv-python-headless", "rapidocr>=3.10", "onnxruntime"]
# Without what they depend on: they would replace torch, and ComfyUI's packages hold the rest.
CAPTION_PACKAGES = ["--no-deps", "open_clip_torch>=3", "timm>=1", "ftfy>=6", "wcwidth"]
CLUSTER_PACKAGES = ["ray[data]>=2.40"]  # and pyarrow with it
RUNNER_PACKAGES = ["pytest-xdist>=3.6", "pytest-timeout>=2.3"]


class Step:
    """One part of the set-up; a stamp with the fingerprint of what it installs says that it is done."""

    def __init__(self, title, stamp, fingerprint, action):
        self.title, self.stamp, self.action = title, stamp, action
        self.fingerprint = hashlib.sha256(repr(fingerprint).encode()).hexdigest()

    def is_done(self):
        return self.stamp.is_file() and self.stamp.read_text(encoding="utf8") == self.fingerprint

    def run(self, progress):
        self.action(progress)
        self.stamp.parent.mkdir(parents=True, exist_ok=True)
        self.stamp.write_text(self.fingerprint, encoding="utf8")


def setup_steps(theirs, comfy, browser, log, curation=False):
    """Returns the Steps in their order; `theirs` is a ComfyUI that need not be fetched, or None."""
    steps = []
    if not os.environ.get("ZOETROPE_PYTHON"):
        steps += python_steps(theirs, comfy, log)
        if curation:
            steps.append(package_step(log, "packages of curation", "curation", *CURATION_PACKAGES))
            steps.append(package_step(log, "packages of clusters", "cluster", *CLUSTER_PACKAGES))
        if curation and comfy:
            steps.append(package_step(log, "packages of captions", "captions", *CAPTION_PACKAGES))
    if comfy and not theirs:
        steps.insert(1, comfyui_step(log))
    if browser:
        steps.append(browser_step(log))
    return steps


def browser_step(log):
    stamp = paths.HOME / "node" / "complete"
    return Step("browser driver", stamp, PLAYWRIGHT, lambda progress: install_playwright(progress, log))


def comfyui_step(log):
    def fetch(progress):
        own = os.environ.get("ZOETROPE_PYTHON")
        fetch_comfyui([sys.executable, "-m", "pip"] if own else pip_command(), progress, log)

    return Step(f"ComfyUI {COMFYUI_TAG}", paths.HOME / "comfyui" / "complete", COMFYUI_SHA256, fetch)


def python_steps(theirs, comfy, log):
    """Returns the Steps that make our virtual environment, which goes first when it is not whole."""
    venv = paths.HOME / "venv"
    stamp = venv / "complete" / "python"  # stamps lie inside the environment, so they go with it
    empty = Step("Python environment", stamp, "venv", lambda progress: make_venv(progress, log))
    if (venv / "unfinished").exists() or not venv_python().is_file() or not empty.is_done():
        shutil.rmtree(venv, ignore_errors=True)  # pip was killed while it copied: trust only the downloads
    steps = [
        empty,
        package_step(log, "PyTorch", "torch", *TORCH, *torch_index()),
        package_step(log, "packages of the pack and its tests", "bare", *BARE_PACKAGES),
        package_step(log, "runner of the tests", "runner", *RUNNER_PACKAGES),
    ]
    return steps + comfyui_package_steps(theirs, log) if comfy else steps


def comfyui_package_steps(theirs, log):
    requirements = (theirs or paths.HOME / "comfyui") / "requirements.txt"
    trace = requirements.read_text(encoding="utf8") if theirs else COMFYUI_SHA256
    compiled_for = (TORCH, TORCH_FAMILY, os.environ.get("ZOETROPE_TORCH_INDEX"))
    mended = paths.HOME / "venv" / "complete" / "mended"
    family = [*TORCH_FAMILY, "--no-deps", *torch_index()]
    return [
        package_step(log, "torchvision and torchaudio", "family", *family),
        package_step(log, "ComfyUI's packages", "comfyui", "-r", requirements, trace=trace),
        Step("check of the packages", mended, compiled_for, lambda progress: mend_torchvision(progress, log)),
    ]


def torch_index():
    """Returns pip's options for where torch comes from."""
    index = os.environ.get("ZOETROPE_TORCH_INDEX")
    return ["--index-url", index] if index else []


def package_step(log, title, name, *arguments, trace=()):
    """Returns the Step that installs what `arguments` tell pip; `trace` is what else it depends on."""
    venv = paths.HOME / "venv"

    def install(progress):
        pip_install(arguments, progress, log, venv / "unfinished")

    return Step(title, venv / "complete" / name, (arguments, trace), install)
