"""A folder of videos as clips: what is taken of each, what is kept, what is said."""

from pathlib import Path

import folder_paths
import numpy as np
import pytest
import torch
from PIL import Image
from zoetrope.demo import play
from zoetrope.host.media import video_folders
from zoetrope.host.tuning import clip_folders
from zoetrope.host.tuning.clip_folders import FolderSettings, clips_of_folder, folder_state, list_clip_folders
from zoetrope.video_io.encode import encode_h264

SMALL = {"num_frames": 4, "frame_rate": 0.0, "width": 64, "height": 64}


@pytest.fixture(scope="module")
def family():
    return play.load_family()


@pytest.fixture
def root(tmp_path, monkeypatch):
    for name in ("input", "output"):
        (tmp_path / name).mkdir()
        monkeypatch.setattr(folder_paths, f"{name}_directory", str(tmp_path / name))
    return tmp_path


def write(path, frames, colour=0.5, fps=8.0, size=(96, 64)):
    """A video whose frames get brighter."""
    path.parent.mkdir(parents=True, exist_ok=True)
    width, height = size
    shade = [torch.full((height, width, 3), colour) + 0.02 * n for n in range(frames)]
    encode_h264([frame.clamp(0, 1) for frame in shade], str(path), fps)


def read(root, family, folder="a cat's 视频", **settings):
    return clips_of_folder(folder, family.vae, family.clip, FolderSettings(**{**SMALL, **settings}))


def test_each_video_gives_its_clips_with_the_text_beside_it(root, family):
    folder = root / "input" / "a cat's 视频"
    write(folder / "b10.mp4", 9)
    write(folder / "b9.mp4", 4, 0.2)
    (folder / "b10.txt").write_text("﻿ a red ball \n", encoding="utf8")
    (folder / "notes.txt").write_text("of nothing")
    clips, told = read(root, family, clips_per_video=0, caption="a blue ring")
    assert [clip.name for clip in clips.clips] == ["b9.mp4", "b10.mp4", "b10.mp4"]
    assert all(clip.latents.shape == (4, 4, 8, 8) for clip in clips.clips)
    wanted = play.encode(family, ["a blue ring"])[0][0], play.encode(family, ["a red ball"])[0][0]
    assert torch.equal(clips.clips[0].positive[0][0], wanted[0])
    assert torch.equal(clips.clips[1].positive[0][0], wanted[1])
    means = [float(play.decoded(family, clip.latents).mean()) for clip in clips.clips]
    assert means[0] < means[1] < means[2], "the second clip of a video follows the first"
    assert told == "3 clips of 4 frames from 2 videos; without a text file: b9.mp4"


def test_an_empty_text_is_a_text_and_a_closed_folder_is_left_out(root, family, monkeypatch):
    folder = root / "input" / "one"
    write(folder / "a.mp4", 4)
    (folder / "a.txt").write_text("")
    clips, told = read(root, family, "one", caption="a blue ring")
    assert torch.equal(clips.clips[0].positive[0][0], play.encode(family, [""])[0][0])
    assert told == "1 clips of 4 frames from 1 videos"

    def closed(path):
        raise PermissionError(path)

    monkeypatch.setattr(video_folders.os, "scandir", closed)
    assert not video_folders.has_videos(folder)


def test_frames_are_taken_at_the_rate_and_size_asked_for(root, family):
    write(root / "input" / "a cat's 视频" / "fast.mp4", 24, 0.1, fps=24.0)
    (clip,) = read(root, family, frame_rate=8.0, width=64, height=128)[0].clips
    assert clip.latents.shape == (4, 4, 16, 8)
    shades = play.decoded(family, clip.latents).mean((1, 2, 3))
    every = read(root, family)[0].clips[0].latents
    assert float(shades.diff().mean()) > 2 * float(play.decoded(family, every).mean((1, 2, 3)).diff().mean())


def test_animated_pictures_are_videos_too(root, family):
    folder = root / "input" / "gifs"
    folder.mkdir()
    frames = [Image.fromarray(np.full((64, 64, 3), 40 * n, np.uint8)) for n in range(5)]
    frames[0].save(folder / "one.gif", save_all=True, append_images=frames[1:], duration=100)
    frames[3].save(folder / "still.webp")
    clips, told = read(root, family, "gifs")
    assert len(clips) == 1
    assert told.endswith("left out: still.webp; without a text file: one.gif, still.webp")


def test_what_was_encoded_is_not_encoded_again(root, family, monkeypatch):
    video = root / "input" / "a cat's 视频" / "one.mp4"
    write(video, 4)
    first = read(root, family)[0]
    kept = root / "output" / "training" / "latents"
    (file,) = kept.iterdir()
    with monkeypatch.context() as patched:
        patched.setattr(clip_folders, "_encoded", lambda *_: pytest.fail("encoded again"))
        assert read(root, family, caption="another text")[0].clips[0].latents.equal(first.clips[0].latents)
    file.write_bytes(file.read_bytes()[:100])  # a machine that lost its power
    assert read(root, family)[0].fingerprint() == first.fingerprint()
    read(root, family, height=128)
    write(video, 4, 0.9)
    assert read(root, family)[0].fingerprint() != first.fingerprint()
    assert len(list(kept.iterdir())) == 3


def test_a_full_disk_costs_only_the_time_to_encode_again(root, family, monkeypatch):
    write(root / "input" / "a cat's 视频" / "one.mp4", 4)
    whole = read(root, family)[0]
    (kept,) = (root / "output" / "training" / "latents").iterdir()
    kept.unlink()

    def full(tensors, path):
        Path(path).write_bytes(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(clip_folders, "save_file", full)
    clips, told = read(root, family)
    assert clips.fingerprint() == whole.fingerprint()
    assert told.endswith("not kept for the next time: [Errno 28] No space left on device")
    assert not list(kept.parent.iterdir())


@pytest.mark.parametrize("name", ["a.mp4", "a.txt"])
def test_a_link_out_of_the_folder_is_refused(root, family, name):
    folder, outside = root / "input" / "linked", root / "outside"
    write(outside / "a.mp4", 4)
    (outside / "a.txt").write_text("a secret")
    folder.mkdir()
    for file in ("a.mp4", "a.txt"):
        if file == name:
            (folder / file).symlink_to(outside / file)
        else:
            (folder / file).write_bytes((outside / file).read_bytes())
    with pytest.raises(ValueError, match=f"'{name}' in 'linked' leads out of that folder"):
        read(root, family, "linked")


def test_the_list_and_the_state_follow_the_folder(root, family):
    assert list_clip_folders() == []
    write(root / "input" / "one" / "two" / "a.mp4", 2)
    (root / "input" / "empty").mkdir()
    assert list_clip_folders() == ["one/two"]
    states = [folder_state("one/two")]
    (root / "input" / "one" / "two" / "a.txt").write_text("a")
    states.append(folder_state("one/two"))
    write(root / "input" / "one" / "two" / "b.mp4", 2)
    states.append(folder_state("one/two"))
    assert len(set(states)) == 3 and folder_state(None) == folder_state("gone") == ""


@pytest.mark.parametrize(
    ("folder", "settings", "sentence"),
    [
        ("..", {}, "is no folder of ComfyUI's input folder"),
        ("../output", {}, "is no folder"),
        ("gone", {}, "is no folder"),
        ("empty", {}, "gives no clip: it holds no video"),
        ("short", {}, "gives no clip: each has fewer than num_frames=4 frames"),
        ("short", {"num_frames": 1}, "num_frames=1 must be at least 2"),
        ("latin", {}, r"'a\.txt' is not UTF-8 text \(byte 1\)"),
        ("broken", {}, r"'a\.mp4': "),
    ],
)
def test_bad_folders_are_refused(folder, settings, sentence, root, family):
    (root / "input" / "empty").mkdir()
    write(root / "input" / "short" / "a.mp4", 3)
    write(root / "input" / "latin" / "a.mp4", 4)
    (root / "input" / "latin" / "a.txt").write_bytes(b"g\xfcte")
    (root / "input" / "broken").mkdir()
    (root / "input" / "broken" / "a.mp4").write_bytes(b"no video")
    with pytest.raises(ValueError, match=sentence):
        read(root, family, folder, **settings)
