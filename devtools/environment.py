"""The virtual environment in .zoetrope/venv, and pip in it."""

import importlib.util
import os
import re
import sys

from . import paths
from .ending import Stop, stop_if_disk_was_full
from .processes import run_logged


def venv_python():
    return paths.HOME / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def site_packages():
    if os.name == "nt":
        return paths.HOME / "venv" / "Lib" / "site-packages"
    # The version is that of the Python it was made with.
    return next((paths.HOME / "venv" / "lib").glob("python3*/site-packages"))


def make_venv(progress, log):
    """Makes an empty virtual environment. Raises Stop where this Python lacks what that takes."""
    missing = [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]
    outside_pip = importlib.util.find_spec("pip") is not None
    if "venv" in missing or (missing and not outside_pip):
        version = "{}.{}".format(*sys.version_info)
        raise Stop(
            f"This Python has no {' and no '.join(missing)}; "
            f"install it (Debian and Ubuntu: apt install python{version}-venv) and run this again."
        )
    without_pip = ["--without-pip"] if missing else []
    command = [sys.executable, "-m", "venv", "--clear", *without_pip, paths.HOME / "venv"]
    status, lines = run_logged(command, log, progress)
    if status:
        stop_if_disk_was_full(lines)
        said = lines[-1] if lines else status
        raise Stop(f"The virtual environment could not be made: {said}. See {log}.")


def pip_command():
    if (site_packages() / "pip").is_dir():
        return [venv_python(), "-m", "pip"]
    return [sys.executable, "-m", "pip", "--python", venv_python()]


def pip_options():
    cache = paths.HOME / "downloads" / "pip"
    return ["--disable-pip-version-check", "--no-input", "--progress-bar", "off", "--cache-dir", cache]


def pip_install(arguments, progress, log, unfinished):
    """Installs packages; the file `unfinished` stays where pip ended while it copied them. Raises Stop."""
    unfinished.touch()
    # Most modules are never imported, so none is compiled.
    command = [*pip_command(), "install", "--no-compile", *pip_options(), *arguments]
    status, lines = run_logged(command, log, progress, _pip_activity)
    if status == 0 or not any(line.startswith("Installing collected") for line in lines):
        unfinished.unlink()
    if status:
        raise Stop(pip_trouble(lines, log))


def _pip_activity(line):
    """Returns what pip is doing by one of its lines, or nothing."""
    kinds = "Collecting|Downloading|Using cached|Building|Installing collected"
    found = re.match(rf"\s*({kinds}) ?(\S*)(.*)", line)
    return " ".join(found.groups())[:90] if found else ""


def pip_trouble(lines, log):
    """Says in one sentence why pip failed."""
    stop_if_disk_was_full(lines)
    network = r"Retrying|Connection|Timeout|timed out|IncompleteRead|Name or service|resolve|SSL"
    if re.search(network, "\n".join(lines)):
        return (
            "A download failed: check the network and run this again, "
            f"it goes on where it stopped (details in {log})."
        )
    errors = [line for line in lines if line.startswith("ERROR:")]
    last = (errors or lines or ["it said nothing"])[-1]
    return f"pip failed: {last.replace('ERROR: ', '').rstrip('.')}. Details are in {log}."
