"""Spans of videos as files: exactly the wanted frames at their times, or what can be copied."""

import os
import subprocess
import sys

import av
import numpy as np
import pytest
import torch
from zoetrope.tests.places import ROOT
from zoetrope.video_io.clip_files import ClipEncoding, copy_clip, write_clip
from zoetrope.video_io.encode import encode_h264
from zoetrope.video_io.probe import probe_video
from zoetrope.video_io.sound import read_sound

CLIPS = ROOT / "tests" / "data" / "curation"


def decoded(path, size=None):
    """(times, grey pictures) of a video."""
    times, pictures = [], []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            times.append(float(frame.time))
            pictures.append(frame.reformat(*(size or ()), format="gray").to_ndarray().astype(int))
    return np.array(times), pictures


def written(path, target, first, last, **encoding):
    with open(target, "wb") as file:
        write_clip(path, probe_video(path), first, last, file, ClipEncoding(**encoding))
    return target


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [("hard_cuts", 108, 114), ("gop24_bframes_audio", 50, 95), ("vfr", 5, 20), ("odd_size_15fps", 10, 12)],
)
def test_a_clip_holds_exactly_its_frames_at_their_times(tmp_path, name, first, last):
    source = CLIPS / f"{name}.mp4"
    times, pictures = decoded(source)
    got_times, got = decoded(written(source, tmp_path / "clip.mp4", first, last))
    np.testing.assert_allclose(got_times, times[first : last + 1] - times[first], atol=1e-5)
    assert len(got) == last - first + 1
    assert max(np.abs(a - b).mean() for a, b in zip(got, pictures[first : last + 1], strict=True)) < 2
    with av.open(str(tmp_path / "clip.mp4")) as container:
        kinds = ["video", "audio"] if probe_video(source).has_audio else ["video"]
        assert [stream.type for stream in container.streams] == kinds


def noise_with_video(path, seconds=4, rate=48000):
    """A video of 25 frames a second whose sound is noise, which is like itself at one shift only."""
    samples = torch.rand(1, 2, seconds * rate, generator=torch.Generator().manual_seed(2)) - 0.5
    # as music: AAC spoils what lies above 10 kHz
    samples = torch.nn.functional.avg_pool1d(samples, 5, 1, 2)
    audio = {"waveform": samples, "sample_rate": rate}
    picture = torch.rand(32, 48, 3, generator=torch.Generator().manual_seed(3))
    with open(path, "wb") as file:
        encode_h264([picture] * (25 * seconds), file, 25.0, audio=audio)
    return audio["waveform"][0, 0].numpy()


@pytest.mark.parametrize("mode", ["encoded", "copied"])
@pytest.mark.parametrize("span", [(0, 12), (37, 61), (90, 99)])
def test_sound_is_cut_to_the_sample(tmp_path, mode, span):
    source = tmp_path / "noise.mp4"
    noise_with_video(source)
    probe = probe_video(source)
    with open(tmp_path / "clip.mp4", "wb") as file:
        if mode == "copied" and span[0]:
            with pytest.raises(ValueError, match="re-encode the clip"):
                copy_clip(source, probe, *span, file)
            return
        span = copy_clip(source, probe, *span, file) if mode == "copied" else (
            write_clip(source, probe, *span, file) or span
        )  # fmt: skip
    begin, end = span[0] / 25, (span[1] + 1) / 25
    wanted = read_sound(source, begin, end)["waveform"][0, 0].numpy()
    got = read_sound(tmp_path / "clip.mp4", 0, end - begin)["waveform"][0, 0].numpy()
    assert len(got) == len(wanted) == round((end - begin) * 48000)
    far = 400
    middle = wanted[far:-far]
    likeness = [np.dot(middle, got[far + by : len(got) - far + by]) for by in range(-far, far)]
    assert int(np.argmax(likeness)) == far
    assert likeness[far] > 0.6 * np.dot(middle, middle)


def test_clips_may_be_silent_and_sound_is_the_same_every_time(tmp_path):
    source = CLIPS / "gop24_bframes_audio.mp4"
    one, other = (written(source, tmp_path / name, 50, 95).read_bytes() for name in "ab")
    assert one == other
    silent = written(source, tmp_path / "c", 50, 95, sound=False)
    assert not probe_video(silent).has_audio and probe_video(tmp_path / "a").has_audio
    for name in "de":
        with open(tmp_path / name, "wb") as file:
            copy_clip(source, probe_video(source), 0, 49, file)
    assert (tmp_path / "d").read_bytes() == (tmp_path / "e").read_bytes()
    assert probe_video(tmp_path / "d").has_audio


def test_the_same_clip_has_the_same_bytes_and_may_be_smaller(tmp_path):
    source = CLIPS / "pan_2_1.mp4"
    one, other = (written(source, tmp_path / name, 3, 20).read_bytes() for name in "ab")
    assert one == other
    small = probe_video(written(source, tmp_path / "c", 3, 20, width=128, height=64))
    assert tuple(small.size) == (128, 64) and small.num_frames == 18


def test_a_turned_video_is_stored_as_it_is_seen(tmp_path):
    source = CLIPS / "rot90_meta.mp4"
    path = written(source, tmp_path / "clip.mp4", 2, 6)
    assert tuple(probe_video(path).size) == (288, 480)
    stored = decoded(source)[1][2]
    got = decoded(path)[1][0]
    turns = [np.abs(np.rot90(stored, k) - got).mean() for k in (1, 3)]
    assert min(turns) < 4 < max(turns)


def test_what_is_not_there_is_an_error(tmp_path):
    source = tmp_path / "cut.mkv"
    written(CLIPS / "pan_2_1.mp4", tmp_path / "a.mp4", 0, 47)
    with av.open(str(tmp_path / "a.mp4")) as given, av.open(str(source), "w") as out:
        stream = out.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(given.streams.video[0]):
            if packet.size:
                packet.stream = stream
                out.mux(packet)
    probe = probe_video(source)
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 3])
    with pytest.raises(ValueError, match="cannot be decoded|no frames"), open(tmp_path / "x", "wb") as file:
        write_clip(source, probe, 0, 47, file)


def test_a_copy_has_no_frame_of_another_shot_and_says_which_it_has(tmp_path):
    """Key frames are 0, 24, 48, 72: of the shot 50..95 a copy loses 22 frames."""
    source = CLIPS / "gop24_bframes_audio.mp4"
    _, pictures = decoded(source)
    for span, copied in (((50, 95), (72, 95)), ((0, 49), (0, 48)), ((30, 80), (48, 80))):
        with open(tmp_path / "copy.mp4", "wb") as file:
            assert copy_clip(source, probe_video(source), *span, file) == copied
        got = decoded(tmp_path / "copy.mp4")[1]
        same = pictures[copied[0] : copied[1] + 1]
        assert len(got) == len(same) and all(map(np.array_equal, got, same))
    with pytest.raises(ValueError, match="no key frame"), open(tmp_path / "copy.mp4", "wb") as file:
        copy_clip(source, probe_video(source), 50, 60, file)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"crf": 0}, "crf=0"), ({"preset": "\n"}, r"preset='\\n'"), ({"width": -2}, "width")],
)
def test_wrong_settings_are_named(wrong, message):
    with pytest.raises(ValueError, match=message):
        ClipEncoding(**wrong)


ENCODED = """
import hashlib, importlib.util, io, sys
spec = importlib.util.spec_from_file_location("dev", sys.argv[1] + "/dev.py")
dev = importlib.util.module_from_spec(spec)
spec.loader.exec_module(dev)
dev.import_pack_as("zoetrope")
from zoetrope.video_io import clip_files, probe
video = sys.argv[2]
for preset in ("veryfast", "slow"):
    with open(sys.argv[3], "w+b") as file:
        encoding = clip_files.ClipEncoding(preset=preset)
        clip_files.write_clip(video, probe.probe_video(video), 0, 17, file, encoding)
    with open(sys.argv[3], "rb") as file:
        print(hashlib.sha256(file.read()).hexdigest())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="MALLOC_PERTURB_ is glibc's")
def test_bytes_do_not_depend_on_what_was_in_memory_before(tmp_path):
    """x264's mbtree reads memory that nobody has written."""
    found = set()
    for filled_with in ("77", "170"):
        environment = {**os.environ, "MALLOC_PERTURB_": filled_with}
        arguments = [str(ROOT), str(ROOT / "tests/data/curation/hard_cuts.mp4"), str(tmp_path / "clip.mp4")]
        command = [sys.executable, "-c", ENCODED, *arguments]
        found.add(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)
    assert len(found) == 1 and len(found.pop().split()) == 2
