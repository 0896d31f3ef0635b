"""Sound of every kind goes into every format that has any: channels, rates, kinds of numbers, no number."""

import numpy as np
import pytest
import torch
from zoetrope.tests.sound_files import beeps, onsets
from zoetrope.video_io.encode import EncodeSettings, VideoEncoder
from zoetrope.video_io.formats import available_formats
from zoetrope.video_io.sound import read_sound
from zoetrope.video_io.sound_track import as_floats, written_rate

SOUNDING = [name for name, entry in available_formats().items() if entry.audio and name in (
    "H.264 (mp4)", "VP9 (webm)", "ProRes (mov)", "FFV1 (mkv)")]  # fmt: skip
FRAME = torch.linspace(0, 1, 64)[:, None, None].expand(64, 64, 3)


def saved(folder, name, waveform, rate=24000, seconds=2):
    """What is read back of sound that was written beside 8 frames a second."""
    path = str(folder / f"x.{available_formats()[name].extension}")
    encoder = VideoEncoder(path, EncodeSettings(name, 8), audio={"waveform": waveform, "sample_rate": rate})
    for _ in range(8 * seconds):
        encoder.write(FRAME)
    encoder.finish()
    return read_sound(path, 0, seconds)


def wave(channels=1, rate=24000, seconds=2):
    return torch.from_numpy(beeps(seconds, channels, rate))[None]


@pytest.mark.parametrize("name", SOUNDING)
@pytest.mark.parametrize("rate", [1000, 8000, 11025, 44100, 65536, 192000])
def test_any_rate_is_heard_in_time(name, rate, tmp_path):
    """AAC of 8000 Hz needs some time to begin; 1000 Hz cannot hold the beep's own 1000."""
    heard = onsets(saved(tmp_path, name, wave(rate=max(rate, 4000))[..., :: max(1, 4000 // rate)], rate))
    assert rate < 8000 or heard == [pytest.approx(0, abs=0.06), pytest.approx(1, abs=0.006)]


@pytest.mark.parametrize(("codec", "rate", "written"), [
    ("libopus", 44100, 48000), ("aac", 44100, 44100), ("aac", 11000, 11025), ("aac", 1, 8000),
    ("aac", 192000, 96000),
    ("flac", 192000, 192000), ("flac", 65535, 65535), ("pcm_s16le", 100001, 176400), ("flac", 10**6, 384000),
])  # fmt: skip
def test_written_rates(codec, rate, written):
    assert written_rate(codec, rate) == written


@pytest.mark.parametrize("name", SOUNDING)
@pytest.mark.parametrize("channels", range(1, 9))
def test_each_channel_stays_itself(name, channels, tmp_path):
    """One after the other sounds for 0.2 s; a low tone, because 5.1's fourth is for those."""
    rate, slot = 24000, 4800
    tone = 0.5 * torch.sin(torch.arange(2 * rate) * 2 * np.pi * 60 / rate)
    waveform = torch.zeros(1, channels, 2 * rate)
    for channel in range(channels):
        waveform[0, channel, channel * slot : (channel + 1) * slot] = tone[:slot]
    sound = saved(tmp_path, name, waveform, rate)
    length = sound["sample_rate"] // 5
    slots = (
        sound["waveform"][0, :, : channels * length].unfold(1, length, length).square().mean(2)
    )  # (C, slots)
    places = list(range(channels))
    if name == "VP9 (webm)" and channels in (5, 7):  # into 5.1 and 7.1
        places = [0, 1, 2, 4, 5] if channels == 5 else [0, 1, 2, 3, 4, 6, 7]
        slots[4] += slots[5] * (channels == 7)
    assert slots.argmax(0).tolist() == places


@pytest.mark.parametrize("name", SOUNDING)
def test_what_is_no_number_is_silent_and_what_is_too_loud_is_cut(name, tmp_path):
    waveform = wave(2)
    waveform[0, 0, [30000, 30001, 30002]] = torch.tensor([float("nan"), float("inf"), -float("inf")])
    waveform[0, 1, 24000:26400] *= 1e6
    sound = saved(tmp_path, name, waveform)
    assert onsets(sound) == pytest.approx([0, 1], abs=0.006) and bool(sound["waveform"].isfinite().all())
    assert float(sound["waveform"].abs().max()) < 1.6  # a lossy codec swings over


@pytest.mark.parametrize("name", SOUNDING)
@pytest.mark.parametrize("change", [
    lambda w: w.half(), lambda w: w.bfloat16(), lambda w: w.double(), lambda w: w.clone().requires_grad_(),
    lambda w: (w * 32767).to(torch.int16), lambda w: torch.cat([w, w * 0]), lambda w: w[..., :4000],
    lambda w: w.expand(1, 2, -1),
])  # fmt: skip
def test_any_kind_of_tensor(name, change, tmp_path):
    waveform = change(wave())
    whole = waveform.shape[-1] > 4000
    assert onsets(saved(tmp_path, name, waveform)) == pytest.approx([0, 1] if whole else [0], abs=0.006)


@pytest.mark.parametrize("name", SOUNDING)
@pytest.mark.parametrize("shape", [(1, 2, 0), (0, 2, 100)])
def test_no_samples_are_no_track(name, shape, tmp_path):
    assert saved(tmp_path, name, torch.zeros(shape)) is None


def test_integers_count_by_their_range():
    small = {torch.uint8: [0, 64, 128]} | {kind: [-(2**n), -(2 ** (n - 1)), 0] for kind, n in (
        (torch.int16, 15), (torch.int32, 31))}  # fmt: skip
    for kind, values in small.items():
        assert as_floats(torch.tensor(values, dtype=kind)).tolist() == [-1, -0.5, 0]


@pytest.mark.parametrize(("audio", "message"), [
    ((torch.zeros(1, 9, 10), 8000), "audio has 9 channels; give 1"),
    ((torch.zeros(1, 0, 10), 8000), "audio has 0 channels"),
    ((torch.zeros(2, 10), 8000), r"audio has the shape \(2, 10\); give 1"),
    ((torch.zeros(1, 1, 10), 0), "sample_rate=0; it must be"),
    ((torch.zeros(1, 1, 10, dtype=torch.int64), 8000), "numbers of the kind int64; give floats"),
])  # fmt: skip
def test_what_no_file_holds_is_refused_before_the_first_frame(audio, message, tmp_path):
    audio = dict(zip(("waveform", "sample_rate"), audio, strict=True))
    with pytest.raises(ValueError, match=message):
        VideoEncoder(str(tmp_path / "x.mp4"), EncodeSettings("H.264 (mp4)", 8), audio=audio)


def test_of_several_sounds_the_first_is_taken_and_told(tmp_path, caplog):
    saved(tmp_path, SOUNDING[0], wave().expand(3, 1, -1))
    assert "holds 3 sounds; the video gets the first" in caplog.text
