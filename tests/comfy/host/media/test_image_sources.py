"""What Load Frames lists: only what can be opened.
Links that lead nowhere, pipes and files that go are left out, never waited for.
"""

import os
import signal
import socket

import numpy as np
import pytest
from PIL import Image
from zoetrope.tests.comfy.server import comfyui_in_this_process

BASE = comfyui_in_this_process()

import folder_paths  # noqa: E402
from zoetrope.host.media import image_sources as host  # noqa: E402
from zoetrope.host.media.video import FrameOptions  # noqa: E402
from zoetrope.video_io.frame_plan import FrameRequest  # noqa: E402
from zoetrope.video_io.frame_size import SizeRequest  # noqa: E402
from zoetrope.video_io.probe import open_video  # noqa: E402

OPTIONS = FrameOptions(FrameRequest(), SizeRequest())


@pytest.fixture
def root(tmp_path, monkeypatch):
    """The input folder, with one folder of pictures and one moving picture;
    what waits for a pipe is ended by an alarm.
    """
    monkeypatch.setattr(folder_paths, "get_input_directory", lambda: str(tmp_path))
    (tmp_path / "row").mkdir()
    frames = [Image.fromarray(np.full((8, 8, 3), 50 * n, np.uint8)) for n in range(3)]
    frames[0].save(tmp_path / "row" / "1.png")
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:], duration=100)

    def waits(*_):
        raise AssertionError("something waits for a pipe")

    before = signal.signal(signal.SIGALRM, waits)
    signal.alarm(120)
    yield tmp_path
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def test_what_cannot_be_opened_is_not_listed(root):
    for suffix in ("gif", "png", "webp", "avif"):
        (root / f"dangling.{suffix}").symlink_to(root / "nowhere")
        (root / f"loop.{suffix}").symlink_to(root / f"loop.{suffix}")
        os.mkfifo(root / f"pipe.{suffix}")
        (root / f"folder.{suffix}").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "socket.gif"))
        (root / "only pipes").mkdir()
        os.mkfifo(root / "only pipes" / "1.png")
        (root / "only pipes" / "2.png").symlink_to(root / "nowhere")
        assert host.list_image_sources() == ["row/", "moving.gif"]


def test_a_file_that_goes_while_the_folder_is_listed_is_left_out(root, monkeypatch):
    walk = os.walk
    more = ["gone.gif", "gone.png"]
    monkeypatch.setattr(
        host.os, "walk", lambda top: ((at, below, [*names, *more]) for at, below, names in walk(top))
    )
    assert host.list_image_sources() == ["row/", "moving.gif"]


def test_a_file_that_may_not_be_read_is_left_out(root, monkeypatch):
    """Root may read everything, so the error is raised by hand."""

    def closed(path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(host, "is_animated", closed)
    (root / "new.png").write_bytes((root / "row" / "1.png").read_bytes())
    assert host.list_image_sources() == ["row/"]


def test_nothing_but_files_is_opened(root):
    os.mkfifo(root / "pipe.png")
    os.mkfifo(root / "row" / "2.png")
    assert len(host.load_frames("row/", 8.0, OPTIONS).images) == 1
    with pytest.raises(
        ValueError, match="'pipe.png' is a pipe, socket or device, and only files are opened; choose a file"
    ):
        host.load_frames("pipe.png", 8.0, OPTIONS)
    with pytest.raises(ValueError, match="is a pipe, socket or device"):
        host.fingerprint("pipe.png")
    with pytest.raises(ValueError, match="is a pipe, socket or device"):
        open_video(root / "pipe.png")
    with pytest.raises(ValueError, match="is a pipe, socket or device"):
        open_video("/dev/zero")


def test_a_folder_whose_files_go_has_another_fingerprint(root, monkeypatch):
    before = host.fingerprint("row/")
    monkeypatch.setattr(host, "images_in", lambda folder: [folder / "1.png", folder / "gone.png"])
    assert host.fingerprint("row/") != before
