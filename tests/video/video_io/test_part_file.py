"""A file gets its name when it is whole, never in place of another; what killed processes leave goes."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from zoetrope.video_io import part_file
from zoetrope.video_io.encode import EncodeSettings
from zoetrope.video_io.part_file import OLD, PartFile, remove_left_over_parts
from zoetrope.video_io.video_file import VideoFile

ROOT = Path(__file__).resolve().parents[3]
FRAME = torch.full((34, 46, 3), 0.5)
WRITER = """
import importlib.util, sys, torch
spec = importlib.util.spec_from_file_location("dev_script", sys.argv[1])
dev = importlib.util.module_from_spec(spec)
spec.loader.exec_module(dev)
dev.import_pack_as("zoetrope")
from pathlib import Path
from zoetrope.video_io.encode import EncodeSettings
from zoetrope.video_io.video_file import VideoFile
with VideoFile(Path(sys.argv[2]), "x_00001_", EncodeSettings(sys.argv[3], 8)) as file:
    for _ in range(3):
        file.write(torch.zeros(34, 46, 3))
    print("writing", file.path.name, flush=True)
    sys.stdin.read()
print("done", file.path.name, flush=True)
"""


@pytest.fixture
def other_process(tmp_path):
    """Starts another process that writes a file until its input ends; ended at the latest behind the test."""
    started = []

    def start(format="H.264 (mp4)"):
        command = [sys.executable, "-c", WRITER, str(ROOT / "dev.py"), str(tmp_path), format]
        started.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        assert started[-1].stdout.readline() == "writing x_00001_.mp4\n"
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def save(folder, format="H.264 (mp4)", stem="x_00001_", level=0.5):
    with VideoFile(folder, stem, EncodeSettings(format, 8)) as file:
        file.write(FRAME * level)
    return file


def parts(folder):
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


def test_two_processes_that_save_under_one_name_make_two_files(tmp_path, other_process):
    other = other_process()
    mine = save(tmp_path)
    assert mine.path.name == "x_00002_.mp4"
    assert other.communicate("")[0] == "done x_00001_.mp4\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x_00001_.mp4", "x_00002_.mp4"]


def test_what_a_killed_process_leaves_goes_with_the_next_save(tmp_path, other_process):
    other = other_process()
    remove_left_over_parts(tmp_path)
    assert len(parts(tmp_path)) == 1  # it is being written
    other.kill()
    other.wait()
    assert [path.suffix for path in tmp_path.iterdir()] == [".part"]  # no half file under a final name
    assert save(tmp_path, stem="y").path.name == "y.mp4"
    assert parts(tmp_path) == []
    assert save(tmp_path).path.name == "x_00001_.mp4"  # its name is free again


def test_two_files_written_at_once_get_two_names(tmp_path):
    gif = EncodeSettings("GIF", 8)
    with VideoFile(tmp_path, "x", gif) as one, VideoFile(tmp_path, "x", gif) as two:
        one.write(FRAME)
        two.write(FRAME)
        assert sorted(path.suffix for path in tmp_path.iterdir()) == [".part", ".part"]
    there = sorted(path.name for path in tmp_path.iterdir())
    assert there == ["x.gif", "x.png", "x_00001_.gif", "x_00001_.png"]


def test_a_name_that_another_program_takes_meanwhile_is_counted_on(tmp_path):
    with VideoFile(tmp_path, "x_00001_", EncodeSettings("ProRes (mov)", 8)) as file:
        file.write(FRAME)
        (tmp_path / "x_00001_.mov").write_bytes(b"theirs")
        (tmp_path / "x_00002_.png").write_bytes(b"theirs too")
    assert (file.path.name, file.sidecar.name) == ("x_00003_.mov", "x_00003_.png")
    assert (tmp_path / "x_00001_.mov").read_bytes() == b"theirs"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "x_00001_.mov", "x_00002_.png", "x_00003_.mov", "x_00003_.png"]  # fmt: skip


@pytest.mark.parametrize("taken", ["x_00001_.gif", "x_00001_.png"])
def test_both_names_of_a_pair_have_to_be_free(taken, tmp_path):
    (tmp_path / taken).write_bytes(b"theirs")
    assert save(tmp_path, "GIF").path.name == "x_00002_.gif"
    assert (tmp_path / taken).read_bytes() == b"theirs"


def test_a_dangling_link_is_a_name_too(tmp_path):
    (tmp_path / "x_00001_.mp4").symlink_to(tmp_path / "nowhere")
    assert save(tmp_path).path.name == "x_00002_.mp4" and not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("format", ["H.264 (mp4)", "FFV1 (mkv)"])
def test_a_file_system_without_links_replaces_nothing_either(format, tmp_path, monkeypatch):
    def no_link(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_link)
    assert save(tmp_path, format).path.stem == "x_00001_" and parts(tmp_path) == []
    with VideoFile(tmp_path, "y_00001_", EncodeSettings(format, 8)) as file:
        file.write(FRAME)
        file.path.write_bytes(b"theirs")
    assert file.path.stem == "y_00002_" and file.path.stat().st_size > 100
    assert file.path.with_name(f"y_00001_{file.path.suffix}").read_bytes() == b"theirs"
    assert len(list(tmp_path.glob("y_00001_*"))) == 1 and parts(tmp_path) == []


def old(path, seconds=OLD + 60):
    path.write_bytes(b"half")
    os.utime(path, (time.time() - seconds,) * 2)
    return path


def test_only_our_own_parts_are_removed(tmp_path):
    ours = [f".zoetrope-{'0' * 16}-{part_file.HERE}.part", f".zoetrope-{'0' * 16}-{part_file.HERE}.png.part"]
    for name in ours:
        old(tmp_path / name, 0)
    for name in (f".{'a' * 32}.part", f".{'a' * 32}.png", f".zoetrope-{'0' * 16}-{'f' * 8}.part"):
        old(tmp_path / name)
    young = [f".{'b' * 32}.part", f".zoetrope-{'1' * 16}-{'f' * 8}.part"]  # no lock; another computer
    for name in young:
        old(tmp_path / name, 60)
    others = ["x.part", ".x.part", "x.mp4", f".{'A' * 32}.part"]
    for name in others:
        old(tmp_path / name)
    remove_left_over_parts(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(young + others)


def test_where_there_are_no_locks_age_decides(tmp_path, monkeypatch):
    """As on Windows, where moreover nothing that is open can be removed."""
    monkeypatch.setattr(part_file, "fcntl", None)
    part = PartFile.reserve(tmp_path, "x")
    assert PartFile.reserve(tmp_path, "x") is None
    old(part.path)
    again = PartFile.reserve(tmp_path, "x")
    assert again.path == part.path
    again.discard()
    assert save(tmp_path).path.name == "x_00001_.mp4" and parts(tmp_path) == []


def test_a_part_that_is_taken_for_left_over_while_it_is_made_is_made_again(tmp_path, monkeypatch):
    locked, calls = part_file._locked, []

    def snatched(descriptor):
        if not calls:
            calls.append(next(tmp_path.iterdir()).unlink())
        return locked(descriptor)

    monkeypatch.setattr(part_file, "_locked", snatched)
    part = PartFile.reserve(tmp_path, "x")
    assert calls and part.path.exists()
    part.discard()


def test_names_that_differ_in_capitals_are_one_to_a_part(tmp_path):
    """They may be one name to the file system."""
    part = PartFile.reserve(tmp_path, "Clip")
    assert PartFile.reserve(tmp_path, "clip") is None and PartFile.reserve(tmp_path, "clap") is not None
    part.discard()
