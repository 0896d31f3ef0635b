"""Sound is heard when the file says: beeps at known times, in files with gaps, damage, several tracks."""

import av
import numpy as np
import pytest
import torch
from zoetrope.tests.sound_files import RATE, Sound, beeps, onsets, spoilt, write
from zoetrope.video_io.probe import probe_video
from zoetrope.video_io.sound import cut_sound, read_sound
from zoetrope.video_io.sound_pieces import FrameReader, Piece, Track
from zoetrope.video_io.sound_timeline import Placed, Timeline, convert, placed

MS = 0.001


def near(seconds, within=3 * MS):
    return pytest.approx(seconds, abs=within)


def lost(begin, end):
    return lambda packet, time: None if begin <= time < end else packet


def damaged(begin, end):
    return lambda packet, time: spoilt(packet) if begin <= time < end else packet


CODECS = [("a.mkv", "aac"), ("a.mkv", "libopus"), ("a.mkv", "flac"), ("a.mkv", "pcm_s16le"),
          ("a.mp4", "aac"), ("a.ts", "mp2"),
          ("a.mkv", "libmp3lame"), ("a.flv", "aac")]  # fmt: skip
VIDEO = {"a.ts": "mpeg2video", "a.flv": "flv"}


@pytest.mark.parametrize(("name", "codec"), CODECS)
def test_a_gap_is_silent_and_what_is_behind_it_comes_in_time(name, codec, tmp_path):
    """From 2.05 to 3.6 s there is nothing: the beep at 3 s is missing, no other moves or is heard again."""
    rate = 44100 if name == "a.flv" else RATE
    track, video = [Sound(beeps(6, 1, rate), rate, codec)], VIDEO.get(name, "mpeg4")
    whole = onsets(read_sound(write(tmp_path / f"w{name}", 6, track, codec=video), 0, 6))
    sound = read_sound(write(tmp_path / name, 6, track, lost(2.05, 3.6), codec=video), 0, 6)
    assert sound["waveform"].shape == (1, 1, 6 * rate)
    assert whole == near([0, 1, 2, 3, 4, 5], 0.06)  # some codecs begin late, all of it
    assert onsets(sound) == near([whole[n] for n in (0, 1, 2, 4, 5)])
    assert float(sound["waveform"][0, 0, int(2.5 * rate) : int(3.5 * rate)].abs().max()) < MS


def test_a_single_lost_packet_moves_nothing(tmp_path):
    sound = read_sound(write(tmp_path / "a.mkv", 4, [Sound(beeps(4))], lost(1.5, 1.515)), 0, 4)
    expected = torch.from_numpy(beeps(4))
    expected[:, 72000:72960] = 0  # one packet of 20 ms
    assert (sound["waveform"][0] - expected).abs().max() < 1e-6


@pytest.mark.parametrize("codec", ["aac", "libopus", "flac"])
def test_a_damaged_packet_costs_no_other(codec, tmp_path, caplog):
    whole = read_sound(write(tmp_path / "w.mkv", 6, [Sound(beeps(6), codec=codec)]), 0, 6)["waveform"]
    sound = read_sound(
        write(tmp_path / "a.mkv", 6, [Sound(beeps(6), codec=codec)], damaged(1.5, 1.515)), 0, 6
    )["waveform"]
    different = ((whole - sound).abs()[0, 0] > MS).nonzero()[:, 0] / RATE
    assert onsets({"waveform": sound, "sample_rate": RATE}) == near([0, 1, 2, 3, 4, 5], 0.03)
    assert len(different) == 0 or (different.min() > 1.4 and different.max() < 1.9)
    assert codec != "aac" or "now silent: 1, the first at 1.5" in caplog.text


def test_times_count_from_the_same_beginning_as_the_pictures(tmp_path):
    path = write(tmp_path / "a.ts", 4, [Sound(beeps(3), codec="mp2", late=2)], late=1.4, codec="mpeg2video")
    begin = probe_video(path).times[0]
    assert begin > 1  # transport streams do not begin at 0
    sound = read_sound(path, begin, begin + 4)
    assert onsets(sound) == near([0.6, 1.6, 2.6], 0.012)  # the encoder's own delay is 10 ms


@pytest.mark.parametrize(("name", "codec", "video"), [
    ("a.avi", "libmp3lame", "mpeg4"), ("a.mp4", "aac", "libx264"), ("a.mkv", "libopus", "libx264"),
    ("a.mkv", "libmp3lame", "mpeg4"),
    ("a.ts", "mp2", "mpeg2video"), ("a.mkv", "flac", "mpeg4"),
])  # fmt: skip
def test_a_span_from_the_middle_is_there_from_its_first_sample_on(name, codec, video, tmp_path):
    """A rising tone tells where a span is from: all are as late as the encoder makes them, loud at once."""
    t = np.arange(8 * RATE) / RATE
    chirp = (0.4 * np.sin(2 * np.pi * (200 * t + 60 * t * t))).astype(np.float32)
    path = write(tmp_path / name, 8, [Sound(np.tile(chirp, (2, 1)), codec=codec)], codec=video)
    first = probe_video(path).times[0]
    late = []
    for begin in (0.52, 2.6, 5.04, 7.2):
        part = read_sound(path, first + begin, first + begin + 0.6)["waveform"][0, 0].numpy()
        assert len(part) == round(0.6 * RATE)
        assert (part[:2400] ** 2).mean() ** 0.5 == near(0.4 * 0.5**0.5, 0.03)  # 50 ms
        true = chirp[round((begin - 0.1) * RATE) :][: len(part) + 9600]  # 100 ms more on both sides
        match = np.fft.irfft(np.fft.rfft(true) * np.conj(np.fft.rfft(part, len(true))))
        late.append(0.1 - np.argmax(match[:9600]) / RATE)
    assert max(late) - min(late) <= 1.5 * MS and -MS < np.mean(late) < 0.03 + 0.04 * (name == "a.avi"), late


@pytest.mark.parametrize("codec", ["aac", "mp2"])
@pytest.mark.parametrize(("one", "two"), [
    ((1, 48000), (2, 48000)), ((2, 48000), (1, 48000)), ((2, 48000), (2, 44100)), ((1, 32000), (2, 48000)),
])  # fmt: skip
def test_joined_parts_get_the_first_ones_layout_and_rate(codec, one, two, tmp_path):
    """Transport streams may be joined byte by byte; the second part is stamped 3 s later."""
    content = b""
    for number, (channels, rate) in enumerate((one, two)):
        part = tmp_path / f"{number}.ts"
        late = 1.4 + 3 * number
        write(
            part, 3, [Sound(beeps(3, channels, rate), rate, codec, late=late)], codec="mpeg2video", late=late
        )
        content += part.read_bytes()
    (tmp_path / "joined.ts").write_bytes(content)
    path = str(tmp_path / "joined.ts")
    probe = probe_video(path)
    begin, retimed = probe.times[0], probe.retimed
    sound = read_sound(path, begin, begin + 6, retimed=retimed)
    assert sound["sample_rate"] == one[1] and sound["waveform"].shape == (1, one[0], 6 * one[1])
    assert onsets(sound) == near([0, 1, 2, 3, 4, 5], 0.03)
    second = read_sound(path, begin + 4.5, begin + 5.5, retimed=retimed)
    assert (second["sample_rate"], second["waveform"].shape[1]) == (two[1], two[0])
    loud = sound["waveform"][0, 0].unfold(0, one[1], one[1]).abs().amax(1)  # of each second
    assert loud[1] == near(0.5, 0.1) and loud[4] == near(
        0.5 if one[0] == 1 or two[0] == 2 else 0.5 * 0.5**0.5, 0.1
    )


@pytest.mark.parametrize(("seconds", "heard"), [(3, 3), (3, 2.95), (3, 3.09)])
def test_parts_whose_times_begin_anew_follow_each_other(seconds, heard, tmp_path):
    """As `cat a.ts a.ts`: the pictures are counted at their rate, and each part's sound goes with its own."""
    sound = Sound(beeps(heard), codec="mp2", late=1.4)
    write(tmp_path / "a.ts", seconds, [sound], codec="mpeg2video", late=1.4)
    path = tmp_path / "joined.ts"
    path.write_bytes((tmp_path / "a.ts").read_bytes() * 4)
    probe = probe_video(path)
    assert probe.retimed and (probe.times[0], probe.end) == (0, 12)
    sound = read_sound(path, 0, 12, retimed=True)
    assert onsets(sound) == near(list(range(12)), 0.015)  # the encoder's own delay is 10 ms
    assert onsets(read_sound(path, 6.5, 8.8, retimed=True)) == near([0.5, 1.5], 0.015)


def test_sound_of_other_parts_than_the_pictures_follows_without_them(tmp_path):
    write(tmp_path / "a.ts", 6, [Sound(beeps(3), codec="mp2", late=1.4)], codec="mpeg2video", late=1.4)
    write(tmp_path / "b.ts", 1, [Sound(beeps(3), codec="mp2", late=1.4)], codec="mpeg2video", late=8)
    path = tmp_path / "joined.ts"
    path.write_bytes((tmp_path / "a.ts").read_bytes() + (tmp_path / "b.ts").read_bytes())
    assert onsets(read_sound(path, 0, 6, retimed=True)) == near([0, 1, 2, 3, 4, 5], 0.05)


def test_memory_is_asked_before_it_is_taken(tmp_path):
    path = write(tmp_path / "a.mkv", 2, [Sound(beeps(2, 2))])
    needed = 2 * 2 * 2 * RATE * 4  # twice: pieces and result
    assert read_sound(path, 0, 2, free_memory=lambda: needed)["waveform"].shape == (1, 2, 2 * RATE)
    for end, free in ((2, needed - 1), (1e7, 10**12)):
        with pytest.raises(ValueError, match="seconds of sound need .* GiB are free; take a shorter span"):
            read_sound(path, 0, end, free_memory=lambda free=free: free)


def silence(seconds=3):
    return np.zeros((1, seconds * RATE), np.float32)


DEFAULT, COMMENT = av.stream.Disposition.default, av.stream.Disposition.comment


@pytest.mark.parametrize("tracks", [
    [(True, DEFAULT), (False, 0)], [(False, 0), (True, DEFAULT)], [(False, COMMENT), (True, DEFAULT)],
    [(True, 0), (False, COMMENT)],
    [(True, DEFAULT), (False, DEFAULT)], [(False, DEFAULT | COMMENT), (True, 0)],
])  # fmt: skip
def test_of_several_tracks_the_one_that_a_player_takes(tracks, tmp_path):
    sounds = [Sound(beeps(3) if wanted else silence(), disposition=int(kind)) for wanted, kind in tracks]
    assert onsets(read_sound(write(tmp_path / "a.mkv", 3, sounds), 0, 3)) == near([0, 1, 2])


def test_a_track_that_cannot_be_decoded_leaves_it_to_the_next(tmp_path):
    sounds = [Sound(silence(), codec="flac", disposition=int(DEFAULT)), Sound(beeps(3))]

    def spoil_first(packet, time):
        return spoilt(packet) if packet.stream.index == 1 else packet

    assert onsets(read_sound(write(tmp_path / "a.mkv", 3, sounds, spoil_first), 0, 3)) == near([0, 1, 2])


def test_sound_that_ends_before_the_span_is_silence_in_its_own_layout(tmp_path):
    path = write(tmp_path / "a.mkv", 30, [Sound(beeps(2, 2, 22050), 22050)])
    sound = read_sound(path, 25, 26.5)
    assert sound["sample_rate"] == 22050 and sound["waveform"].shape == (1, 2, 33075)
    assert float(sound["waveform"].abs().max()) == 0


def test_sound_that_begins_late_begins_late(tmp_path):
    path = write(tmp_path / "a.mkv", 6, [Sound(beeps(2), late=4)])
    assert onsets(read_sound(path, 2, 6)) == near([2, 3])


@pytest.mark.parametrize(("codec", "rate", "channels"), [
    ("pcm_u8", 8000, 1), ("pcm_s16le", 11025, 2), ("pcm_s24le", 96000, 6),
    ("pcm_s32le", 192000, 2), ("pcm_f64le", 44100, 8),
    ("flac", 48000, 8),
])  # fmt: skip
def test_every_depth_rate_and_layout_comes_back(codec, rate, channels, tmp_path):
    samples = beeps(2, channels, rate) * np.linspace(0.5, 1, channels, dtype=np.float32)[:, None]
    sound = read_sound(write(tmp_path / "a.mkv", 2, [Sound(samples, rate, codec)]), 0, 2)
    assert sound["sample_rate"] == rate and sound["waveform"].dtype == torch.float32
    assert (sound["waveform"][0] - torch.from_numpy(samples)).abs().max() <= (
        1 / 127 if codec == "pcm_u8" else 1e-4
    )


def test_eight_channels_in_planes_of_their_own(tmp_path):
    samples = beeps(1, 8)
    samples[[1, 2, 3, 4, 6]] = 0
    sound = read_sound(write(tmp_path / "a.mkv", 1, [Sound(samples, codec="aac")]), 0, 1)
    assert (sound["waveform"][0].abs().amax(1) > 0.25).tolist() == [
        True,
        False,
        False,
        False,
        False,
        True,
        False,
        True,
    ]


def test_what_is_no_number_in_a_file_is_silence(tmp_path):
    samples = beeps(1)
    samples[0, [7, 8, 9]] = (np.nan, np.inf, -np.inf)
    wave = read_sound(write(tmp_path / "a.mkv", 1, [Sound(samples)]), 0, 1)["waveform"][0, 0]
    assert wave[7:10].tolist() == [0, 1, -1] and bool(wave.isfinite().all())


@pytest.mark.parametrize("format", ["u8", "s16p", "s32", "dblp", "flt"])
def test_pieces_are_floats(format):
    wanted = np.array([[0, 0.5, -1, 0.25], [-0.5, 0, 0.75, -0.25]])
    scale = {"u8": 128, "s16p": 2**15, "s32": 2**31}.get(format, 1)
    values = wanted * scale + (128 if format == "u8" else 0)
    dtype = {"u8": "u1", "s16p": "i2", "s32": "i4", "dblp": "f8", "flt": "f4"}[format]
    array = (values if format.endswith("p") else values.T.reshape(1, -1)).astype(dtype)
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(array), format=format, layout="stereo")
    frame.sample_rate = 8000
    samples = FrameReader()(frame)
    assert samples.dtype == np.float32 and np.array_equal(samples, wanted.astype(np.float32))


def begins(*times, seconds=1.0):
    rate = 8000
    pieces = [Piece(time, np.zeros((1, round(seconds * rate)), np.float32), rate, "mono") for time in times]
    return [round(place.begin, 3) for place in placed(pieces, 7.0)]


@pytest.mark.parametrize(("times", "expected"), [
    ([0, 1, 3, 4], [0, 1, 3, 4]),  # one is lost
    ([0, 1.03, 1.97, 3.01], [0, 1, 2, 3]),  # stamps that jitter
    ([0, 1, 1.9, 3], [0, 1, 2, 3]),
    ([0, 1, 1.4, 2.4], [0, 1, 1.4, 2.4]),  # an overlap
    ([10, 11, 3, 4], [10, 11, 12, 13]),  # stamps that begin anew
    ([10, 11, 3, 4, 7, 8], [10, 11, 12, 13, 16, 17]),  # and have a gap later
    ([None, None, None], [7, 8, 9]), ([5, None, None, 9], [5, 6, 7, 9]),
])  # fmt: skip
def test_places(times, expected):
    assert begins(*times) == expected


def test_one_wrong_stamp_is_no_jump():
    assert begins(0, 0.02, 900, 0.06, 0.08, seconds=0.02) == [0, 0.02, 0.04, 0.06, 0.08]
    assert begins(0, 0.02, 0.14, 0.16, 0.18, seconds=0.02) == [0, 0.02, 0.14, 0.16, 0.18]


@pytest.mark.parametrize(("rate", "damaged", "known"), [(0, 0, False), (48000, 3, False), (48000, 0, True)])
def test_a_track_without_pieces(rate, damaged, known):
    assert Track([], 0, rate, "mono", damaged).is_known is known


def test_what_cannot_be_mixed_is_silent_and_told(caplog):
    timeline = Timeline(0, 40, 8000, "mono")
    strange = Piece(0, np.ones((9, 20), np.float32), 8000, "9 channels")
    timeline.put([Placed(strange, 0, False)])
    assert not timeline.sound.any() and "which cannot be mixed into it" in caplog.text


def test_a_few_samples_of_another_rate_are_none():
    assert convert(np.ones((2, 1), np.float32), 44100, "stereo", 8000, "5.1").shape == (6, 0)


def test_sound_in_memory_is_cut_and_filled_up():
    audio = {"waveform": torch.arange(1.0, 11).expand(2, 3, 10), "sample_rate": 10, "title": "x"}
    cut = cut_sound(audio, 0.8, 1.3)
    assert (
        cut["waveform"].shape == (2, 3, 5)
        and cut["waveform"][1, 2].tolist() == [9, 10, 0, 0, 0]
        and cut["title"] == "x"
    )
    assert cut_sound(audio, 5, 5.2)["waveform"].tolist() == torch.zeros(2, 3, 2).tolist()
    assert cut_sound({**audio, "waveform": torch.zeros(1, 2, 0)}, 0, 1)["waveform"].shape == (1, 2, 10)
