"""Makes whatever is missing before something is run."""

import os
import shutil
import subprocess
from pathlib import Path

from . import paths
from .comfyui import check_comfyui_version, users_comfyui
from .ending import Stop, check_disk_space
from .environment import venv_python
from .lock import only_one_setup
from .progress import Progress, say
from .steps import setup_steps


class Environment:
    """What a set-up leads to: the interpreter, and the ComfyUI where one was asked for."""

    def __init__(self, python, comfyui):
        self.python, self.comfyui = python, comfyui


def prepare(comfy=True, browser=False, curation=False):
    """Makes what is missing and returns the Environment; what an earlier run has finished is left alone."""
    with only_one_setup():
        log = paths.HOME / "logs" / "setup.log"
        theirs = users_comfyui() if comfy else None
        steps = [step for step in setup_steps(theirs, comfy, browser, log, curation) if not step.is_done()]
        if steps:
            take_steps(steps, log)
        if comfy and steps:
            shutil.rmtree(paths.HOME / "downloads" / "pip", ignore_errors=True)
        comfyui = (theirs or paths.HOME / "comfyui") if comfy else None
        if comfyui:
            check_comfyui_version(comfyui)
        return Environment(interpreter(comfy), comfyui)


def take_steps(steps, log):
    """Runs the Steps and shows how far they are. Raises Stop where the disk is too small for them."""
    if not (paths.HOME / "venv" / "complete").is_dir():
        check_disk_space()
    roughly = "2 to 10 minutes, as fast as the network is" if len(steps) > 2 else "a minute or two"
    say(f"Setting up in {paths.HOME}: {roughly}; this is done once. The whole output goes to {log}.")
    progress = Progress(len(steps))
    for step in steps:
        with progress.step(step.title):
            step.run(progress)


def interpreter(comfy):
    """Returns the path of the interpreter to use. Raises Stop when it is the user's and lacks something."""
    own = os.environ.get("ZOETROPE_PYTHON")
    if own:
        check_own_interpreter(own, comfy)
    return Path(own or venv_python())


def check_own_interpreter(python, comfy):
    """Raises Stop when the interpreter named by ZOETROPE_PYTHON lacks a package."""
    names = ["torch", "numpy", "einops", "safetensors", "psutil", "pytest"]
    names += comfy * ["torchvision", "torchaudio", "aiohttp", "av", "yaml"]
    code = f"import importlib.util as u; print(*[n for n in {names!r} if u.find_spec(n) is None])"
    try:
        done = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise Stop(f"ZOETROPE_PYTHON={python} does not run ({error}); correct it or unset it.") from None
    missing = done.stdout.split()
    if missing:
        raise Stop(f"ZOETROPE_PYTHON={python} has no {', '.join(missing)}; install them there, or unset it.")
