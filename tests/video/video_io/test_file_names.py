"""Which names files may get, and what is said of the others."""

import itertools

import pytest
import torch
from zoetrope.video_io.encode import EncodeSettings
from zoetrope.video_io.file_names import check_length, numbered, problem_of
from zoetrope.video_io.video_file import VideoFile


@pytest.mark.parametrize(("stem", "expected"), [
    ("x_00007_", ["x_00007_", "x_00008_", "x_00009_"]), ("x", ["x", "x_00001_", "x_00002_"]),
    ("a_1_00099_", ["a_1_00099_", "a_1_00100_", "a_1_00101_"]),
    ("x_99999_", ["x_99999_", "x_100000_", "x_100001_"]),
])  # fmt: skip
def test_numbers_go_on(stem, expected):
    assert list(itertools.islice(numbered(stem), 3)) == expected


@pytest.mark.parametrize(
    "prefix", ["video/x", "t1/x/", ".x", "a b/视频 $(x)", "x.", "con", "..x", "%year%/x", "/a"]
)
def test_ordinary_prefixes(prefix):
    assert problem_of(prefix, windows=False) == ""


@pytest.mark.parametrize(("prefix", "message"), [
    ("", "names no file; give a name"), ("/", "names no file"), ("a/..", "names no file"),
    (".", "names no file"),
    ("a/.../", "names no file"), ("a\0b", "zero character"), ("a\ud800", "half a character"),
    ("\udcff/x", "half a character"),
])  # fmt: skip
def test_prefixes_that_no_system_takes(prefix, message):
    for windows in (False, True):
        assert message in problem_of(prefix, windows)


@pytest.mark.parametrize(("prefix", "message"), [
    ("CON/x", "device"), ("a/nul.txt/x", "device"), ("com1\\x", "device"), ("a./x", "ends in a dot or space"),
    ("a /x", "ends in a dot or space"), ("a:b", "':'"), ("what?", "'?'"), ("a\tb", "'\\t'"), ("<x>", "'<>'"),
])  # fmt: skip
def test_prefixes_that_windows_does_not_take(prefix, message):
    assert message in problem_of(prefix, windows=True) and problem_of(prefix, windows=False) == ""


@pytest.mark.parametrize("prefix", ["con", "x.", "a/b\\c", "x ", "communism/x", "../x"])
def test_prefixes_that_windows_takes(prefix):
    """A number and an extension follow the name; whether it leads out is asked elsewhere."""
    assert problem_of(prefix, windows=True) == ""


@pytest.mark.parametrize("letter", ["a", "视", "😀"])
def test_a_name_of_255_bytes_is_the_longest(letter, tmp_path):
    size = len(letter.encode())
    longest = letter * ((255 - 4) // size)
    check_length(tmp_path, f"{longest}.mp4")
    bytes_ = size * (251 // size + 1) + 4
    with pytest.raises(ValueError, match=rf"has {bytes_} bytes, and its folder takes at most 255; make"):
        check_length(tmp_path, f"{longest}{letter}.mp4")


@pytest.mark.parametrize("format", ["H.264 (mp4)", "VP9 (webm)", "FFV1 (mkv)"])
def test_the_longest_name_is_written_and_a_longer_one_refused_before_anything_is_there(format, tmp_path):
    settings = EncodeSettings(format, 8)
    extension = settings.entry.extension
    with pytest.raises(ValueError, match=r"the file name 'a+\.\.\.a+.*' has 256 bytes"):
        VideoFile(tmp_path, "a" * (255 - len(extension)), settings)
    assert list(tmp_path.iterdir()) == []
    with VideoFile(tmp_path, "a" * (254 - len(extension)), settings) as file:
        file.write(torch.zeros(34, 46, 3))
    assert len(file.path.name) == 255 and file.path.exists()
    with pytest.raises(ValueError, match="has 262 bytes"):  # the next one has a number
        VideoFile(tmp_path, "a" * (254 - len(extension)), settings)
