"""A written file is whole or not there, has the workflow in it,
and a name may be anything that a file system takes.
"""

import gc
import json
import os
import resource
import signal
import struct
from pathlib import Path

import av
import pytest
import torch
from PIL import Image
from zoetrope.video_io.encode import EncodeSettings, VideoEncoder
from zoetrope.video_io.file_metadata import add_texts, to_text
from zoetrope.video_io.formats import available_formats
from zoetrope.video_io.play_order import in_play_order, played_count
from zoetrope.video_io.video_file import VideoFile

FORMATS = available_formats()
CONTAINERS = {entry.container: name for name, entry in reversed(FORMATS.items())}.values()
"""One format of each container."""
WORKFLOW = {"nodes": [{"text": 'an open { and \\" "}} 猫 é'}], "extra": {}}
TEXTS = {"prompt": to_text({"1": {}}), "workflow": to_text(WORKFLOW)}
FRAMES = list(torch.linspace(0, 1, 5)[:, None, None, None].expand(5, 66, 70, 3))


def write(folder, name, frames=FRAMES, texts=TEXTS, stem="x"):
    with VideoFile(folder, stem, EncodeSettings(name, 8), texts=texts) as file:
        for frame in frames:
            file.write(frame)
    return file


def texts_of(path):
    """What is found where ComfyUI's front end looks."""
    if path.suffix == ".webp":
        with Image.open(path) as image:
            return dict(value.split(":", 1) for value in image.getexif().values())
    if path.suffix == ".png":
        content, place, found = path.read_bytes(), 8, {}
        while place < len(content):
            length, kind = struct.unpack(">I4s", content[place : place + 8])
            if kind == b"comf":
                key, text = content[place + 8 : place + 8 + length].split(b"\0", 1)
                found[key.decode()] = text.decode()
            place += 12 + length
        return found
    with av.open(str(path)) as container:
        return {key.lower(): text for key, text in container.metadata.items()}


@pytest.mark.parametrize("name", FORMATS)
def test_the_workflow_is_in_the_file_or_beside_it(name, tmp_path):
    file = write(tmp_path, name, stem="ü $(rm) 'a' 猫")
    carrier = file.sidecar or file.path
    found = texts_of(carrier)
    assert json.loads(found["workflow"]) == WORKFLOW
    assert json.loads(found["prompt"]) == {"1": {}}
    assert {p.name for p in tmp_path.iterdir()} == {file.path.name, carrier.name}
    if file.sidecar:
        with Image.open(file.sidecar) as image:
            assert image.size == (70, 66)
    with Image.open(carrier) if carrier.suffix in (".png", ".webp") else av.open(str(carrier)):
        pass  # still readable after the texts went in


@pytest.mark.parametrize("name", FORMATS)
def test_a_single_frame_carries_it_too(name, tmp_path):
    file = write(tmp_path, name, FRAMES[3:4])
    assert json.loads(texts_of(file.sidecar or file.path)["workflow"]) == WORKFLOW
    if file.path.suffix in (".webp", ".png"):
        with Image.open(file.path) as image:
            assert image.convert("RGB").getpixel((9, 9)) == (191, 191, 191)


@pytest.mark.parametrize("name", FORMATS)
def test_without_texts_nothing_is_told(name, tmp_path):
    file = write(tmp_path, name, texts={})
    for path in tmp_path.iterdir():
        assert not {"workflow", "prompt"} & set(texts_of(path) if path.suffix != ".gif" else ())
    assert file.path.exists()


def test_what_the_player_and_the_front_end_read_comes_first(tmp_path):
    for name in ("H.264 (mp4)", "VP9 (webm)"):
        content = write(tmp_path, name).path.read_bytes()
        frames = (
            content.index(b"mdat") if name.startswith("H") else content.index(b"\x1fC\xb6u")
        )  # the first cluster
        assert 0 < content.lower().index(b"workflow") < frames


def test_braces_stand_only_where_they_are_json():
    """The front end counts them in WebM files to find the end of the text."""
    text = to_text(WORKFLOW)
    depth = [0]
    for letter in text:
        depth.append(depth[-1] + {"{": 1, "}": -1}.get(letter, 0))
    assert depth[-1] == 0 and min(depth[1:-1]) > 0
    assert json.loads(text) == WORKFLOW


@pytest.mark.parametrize("name", FORMATS)
def test_a_run_that_breaks_off_leaves_nothing(name, tmp_path):
    def frames():
        yield from FRAMES[:3]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, name, frames())
    assert list(tmp_path.iterdir()) == []


def test_refusals_leave_nothing(tmp_path):
    with pytest.raises(ValueError, match="at least one frame"):
        write(tmp_path, "H.264 (mp4)", [])
    with pytest.raises(ValueError, match="size of the first"):
        write(tmp_path, "GIF", [FRAMES[0], torch.zeros(8, 8, 3)])
    with pytest.raises(ValueError, match="crf=3 has no meaning"):
        VideoFile(tmp_path, "x", EncodeSettings("GIF", 8, 3))
    with pytest.raises(ValueError, match="does not begin as a WebP file does"):
        (tmp_path / "a.webp").write_bytes(b"RIFF1234")
        add_texts(tmp_path / "a.webp", "webp", TEXTS)
    (tmp_path / "a.webp").unlink()
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def small_disk():
    """No file may grow beyond 20 kB, which ends a write as a full disk does."""
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("name", FORMATS)
def test_a_full_disk_leaves_nothing_and_is_named(name, tmp_path, small_disk):
    torch.manual_seed(3)
    with pytest.raises(
        OSError, match="could not be written whole, because there is no room left .* Nothing remains"
    ):
        write(tmp_path, name, list(torch.rand(30, 66, 170, 3)))
    assert list(tmp_path.iterdir()) == []


def test_a_finished_file_stays_when_its_successor_fails(tmp_path):
    content = write(tmp_path, "FFV1 (mkv)").path.read_bytes()
    with pytest.raises(ValueError, match="at least one frame"):
        write(tmp_path, "FFV1 (mkv)", [])
    assert (tmp_path / "x.mkv").read_bytes() == content
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.mkv", "x.png"]


def no_frames():
    yield from ()


def frames_that_break_off(number, error):
    yield from FRAMES[:number]
    raise error


FAILURES = {
    "no frame": no_frames,
    "cancelled": lambda: frames_that_break_off(3, KeyboardInterrupt()),
    "at the first": lambda: frames_that_break_off(0, ValueError()),
    "another size": lambda: iter([FRAMES[0], torch.zeros(8, 8, 3)]),
    "too large": lambda: iter([torch.zeros(16400, 1, 3)]),
    "full disk": lambda: iter(list(torch.rand(30, 66, 170, 3))),
}


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts descriptors where Linux lists them")
@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("name", CONTAINERS)
def test_a_save_that_fails_keeps_no_descriptor_and_disturbs_no_other(name, failure, tmp_path, request):
    write(tmp_path, name)  # what stays open for good, as the encoders' own files, is open now
    if failure == "full disk":
        request.getfixturevalue("small_disk")
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with pytest.raises((ValueError, OSError, KeyboardInterrupt)):
            write(tmp_path, name, FAILURES[failure](), stem="y")
    assert len(os.listdir("/proc/self/fd")) == before
    assert [path.name for path in tmp_path.iterdir() if path.name[0] in ".y"] == []
    assert write(tmp_path, name, FRAMES[:1], stem="z").path.exists()


def test_a_save_that_cannot_begin_keeps_no_descriptor(tmp_path):
    audio = {"waveform": torch.zeros(1, 9, 10), "sample_rate": 8000}
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with pytest.raises(ValueError, match="9 channels"):
            VideoFile(tmp_path, "x", EncodeSettings("H.264 (mp4)", 8), audio=audio)
    assert len(os.listdir("/proc/self/fd")) == before and list(tmp_path.iterdir()) == []


def test_a_path_given_to_the_encoder_is_closed_too(tmp_path, small_disk):
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        encoder = VideoEncoder(str(tmp_path / "x.mp4"), EncodeSettings("H.264 (mp4)", 8))
        try:
            with pytest.raises(OSError, match="too large|File"):
                for frame in torch.rand(60, 66, 170, 3):
                    encoder.write(frame)
                encoder.finish()
        finally:
            encoder.abandon()
    assert len(os.listdir("/proc/self/fd")) == before


ODD_NAMES = ["工作流", "é", "😀", "half \ud83d", "zero\0", "a:b", "new\nline", "", "Workflow", "a" * 300]


@pytest.mark.parametrize("name", CONTAINERS)
@pytest.mark.parametrize("odd", ODD_NAMES, ids=[ascii(name)[:20] for name in ODD_NAMES])
def test_any_name_beside_the_workflow_is_written_and_the_workflow_is_found(name, odd, tmp_path):
    other = to_text({"猫": "é😀\0"})
    texts = {"workflow": to_text(WORKFLOW), odd: other, "prompt": "{}"}
    file = write(tmp_path, name, FRAMES[:1], texts=texts)
    found = texts_of(file.sidecar or file.path)
    assert json.loads(found["workflow"]) == WORKFLOW and found["prompt"] == "{}"
    if odd.strip("\0") == odd and odd.lower() not in found and odd:
        kept = [text for key, text in found.items() if key not in ("workflow", "prompt")]
        assert other in kept


@pytest.mark.parametrize("name", CONTAINERS)
def test_any_text_is_read_back(name, tmp_path):
    """Also one that is no ASCII: JSON has escapes for it."""
    workflow = {"text": "猫 é 😀 \ud83d half, zero \0 { and }"}
    raw = json.dumps(workflow, ensure_ascii=False)
    for text in (to_text(workflow), raw):
        file = write(tmp_path, name, FRAMES[:1], texts={"workflow": text})
        assert json.loads(texts_of(file.sidecar or file.path)["workflow"]) == workflow


@pytest.mark.parametrize(("name", "expected"), [
    ("H.264 (mp4)", "工作流"), ("FFV1 (mkv)", "工作流"), ("WebP", "\\u5de5\\u4f5c\\u6d41"),
])  # fmt: skip
def test_names_are_readable_where_the_format_takes_them(name, expected, tmp_path):
    file = write(tmp_path, name, FRAMES[:1], texts={"工作流": "1"})
    assert texts_of(file.sidecar or file.path)[expected] == "1"


@pytest.fixture
def ordinary_user():
    """Root may write everywhere: the rights of another user, where that can be."""
    if not hasattr(os, "seteuid") or os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    yield
    os.seteuid(0)


def test_a_folder_that_cannot_be_written_to_is_refused_before_the_first_frame(tmp_path, request):
    (tmp_path / "file").write_bytes(b"")
    for folder, why in ((tmp_path / "none", "No such file"), (tmp_path / "file", "Not a directory")):
        message = rf"'{folder.name}' cannot be written to \({why}.*\); choose another one in filename_prefix"
        with pytest.raises(ValueError, match=message):
            VideoFile(folder, "x", EncodeSettings("GIF", 8))
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    for place in (tmp_path, *tmp_path.parents):  # that the other user comes so far
        if str(place).startswith(str(tmp_path.parents[2])):
            place.chmod(place.stat().st_mode | 0o055)
    request.getfixturevalue("ordinary_user")
    with pytest.raises(ValueError, match=r"'closed' cannot be written to \(Permission denied\)"):
        VideoFile(closed, "x", EncodeSettings("GIF", 8))


@pytest.mark.parametrize(
    ("count", "ping_pong", "repeats", "expected"),
    [
        (3, False, 0, [0, 1, 2]),
        (3, False, 2, [0, 1, 2, 0, 1, 2]),
        (4, True, 1, [0, 1, 2, 3, 2, 1]),
        (2, True, 2, [0, 1, 0, 1]),
        (1, True, 3, [0, 0, 0]),
        (3, True, 2, [0, 1, 2, 1, 0, 1, 2, 1]),
    ],
)
def test_play_order(count, ping_pong, repeats, expected):
    def frames(backward):
        return reversed(range(count)) if backward else iter(range(count))

    assert list(in_play_order(frames, count, ping_pong, repeats)) == expected
    assert played_count(count, ping_pong, repeats) == len(expected)
