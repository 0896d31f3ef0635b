"""What files say of themselves: their rate, whether it varies, their end, and titles in any encoding."""

from fractions import Fraction

import numpy as np
import pytest
from zoetrope.tests.odd_videos import encode, images, read_cells
from zoetrope.video_io.decode import decode_selection
from zoetrope.video_io.frame_plan import FrameRequest
from zoetrope.video_io.frame_selection import ReadOptions
from zoetrope.video_io.probe import open_video, probe_video

RATES = {
    "23.976": Fraction(24000, 1001),
    "24": Fraction(24),
    "25": Fraction(25),
    "29.97": Fraction(30000, 1001),
    "60": Fraction(60),
}
CONTAINERS = {
    "x.mp4": "libx264", "x.mkv": "libx264", "x.webm": "libvpx", "x.flv": "flv", "x.ts": "libx264",
    "x.mov": "libx264", "x.avi": "mpeg4",
    "y.ts": "mpeg2video", "x.mpg": "mpeg2video",
}  # fmt: skip
FRAMES = 41


def numbers_of(frames):
    """The numbers that were drawn into frames (F, H, W, 3), by the bits in their second row."""
    return [
        sum(int(bit > 0.5) << place for place, bit in enumerate(read_cells(frame)[1].mean(-1)))
        for frame in frames.numpy()
    ]


@pytest.fixture(scope="module")
def constant(tmp_path_factory):
    """Makes files of a constant rate, each once."""
    folder, made = tmp_path_factory.mktemp("constant"), {}

    def of(name, rate):
        if (name, rate) not in made:
            made[name, rate] = path = folder / f"{rate}-{name}"
            options = (
                {"qscale": "3"}
                if CONTAINERS[name] in ("flv", "mpeg4", "mpeg2video")
                else {"crf": "5", "g": "12"}
            )
            encode(path, CONTAINERS[name], images(range(FRAMES)), RATES[rate], options=options)
        return made[name, rate]

    return of


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("name", CONTAINERS)
def test_a_constant_rate_is_exact_in_every_container(name, rate, constant):
    found = decode_selection(constant(name, rate))
    assert found.fps == float(RATES[rate]) and not found.plan.varies
    assert found.probe.end - found.probe.times[0] == pytest.approx(
        FRAMES / RATES[rate], abs=1.01 / RATES[rate]
    )


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("name", CONTAINERS)
def test_a_forced_rate_takes_even_steps_in_every_container(name, rate, constant):
    path, asked = constant(name, rate), float(rate)
    first = 2 if name == "x.avi" else 0  # encoders leave the place behind the first frame empty there
    for rate_asked, step in ((asked, 1), (asked / 2, 2)):
        taken = numbers_of(decode_selection(path, ReadOptions(FrameRequest(force_rate=rate_asked))).frames)
        assert taken[first:] == list(range(0, FRAMES, step))[first:], rate_asked
    assert decode_selection(
        path, ReadOptions(FrameRequest(force_rate=asked, start_seconds=0.5, frame_cap=4))
    ).numbers[0] == pytest.approx(asked / 2, abs=0.51)


def without_default_duration(path):
    """A browser's recording: the track says nothing of its rate."""
    content = bytearray(path.read_bytes())
    place = content.index(b"\x23\xe3\x83")
    length = 4 + (content[place + 3] & 0x7F)
    content[place : place + length] = b"\xec" + bytes([0x80 | length - 2]) + bytes(length - 2)
    path.write_bytes(content)


RECORDED = [0, 17, 50, 84, 134, 150, 270, 303, 336, 386]  # usually 33 ms, so that the last one ends at 419


def test_a_browser_recording(tmp_path):
    path = tmp_path / "live.webm"
    encode(path, "libvpx", images(range(len(RECORDED))), times=RECORDED, options={"crf": "5", "b": "1M"})
    without_default_duration(path)
    found = decode_selection(path)
    assert found.plan.varies and found.fps == pytest.approx(10 / 0.419, rel=0.03)
    assert found.probe.end == pytest.approx(0.419, abs=0.012)
    part = decode_selection(
        path, ReadOptions(FrameRequest(skip_first_frames=2, frame_cap=4))
    )  # from 50 to 270 ms
    assert part.fps == pytest.approx(4 / 0.22, rel=0.01) and (
        part.plan.begin,
        part.plan.end,
    ) == pytest.approx((0.05, 0.27), abs=1e-3)
    assert decode_selection(path, ReadOptions(FrameRequest(force_rate=20.0))).numbers == [
        0,
        2,
        3,
        5,
        5,
        6,
        7,
        8,
        9,
    ]


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "ts"])
def test_a_screen_recording(suffix, tmp_path):
    """60 a second while something moves, then pictures that stay: 0.5 s, 1 s, 3 s, 2 s."""
    times = [*(round(n * 1000 / 60) for n in range(31)), 1000, 2000, 5000, 7000]
    path = tmp_path / f"screen.{suffix}"
    encode(path, "libx264", images(range(35)), times=times)
    found = decode_selection(path)
    assert (
        found.plan.varies and 35 / 9.1 < found.fps < 35 / 7
    )  # some containers do not say how long the last one stays
    steady = decode_selection(path, ReadOptions(FrameRequest(force_rate=4.0, frame_cap=28)))
    assert numbers_of(steady.frames) == [0, 15, 30, 30, *[31] * 4, *[32] * 12, *[33] * 8]
    moving = decode_selection(path, ReadOptions(FrameRequest(frame_cap=30)))
    assert moving.fps == pytest.approx(60, rel=1e-6)


def test_one_frame_of_a_rate_that_varies_is_shown_as_long_as_in_the_file(tmp_path):
    encode(tmp_path / "x.mkv", "libx264", images(range(4)), times=[0, 100, 900, 1000])
    found = decode_selection(tmp_path / "x.mkv", ReadOptions(FrameRequest(skip_first_frames=1, frame_cap=1)))
    assert found.fps == pytest.approx(1 / 0.8) and found.plan.begin == pytest.approx(0.1)


TITLE = "Größe"


@pytest.mark.parametrize(("name", "codec"), [("x.avi", "mpeg4"), ("x.mp4", "libx264"), ("x.mov", "libx264"),
("x.mkv", "libx264"),
                                             ("x.webm", "libvpx"), ("x.flv", "flv"),
                                             ("x.nut", "libx264")])  # fmt: skip
def test_a_title_that_is_not_utf8(name, codec, tmp_path):
    """Old programs write titles in the encoding of their country."""

    def tune(stream):
        stream.container.metadata["title"] = stream.metadata["title"] = TITLE

    encode(tmp_path / name, codec, tune=tune, options={})
    content = (tmp_path / name).read_bytes()
    assert TITLE.encode() in content
    wrong = content.replace(TITLE.encode(), b"Gr\xf6\xdfe!!")
    (tmp_path / name).write_bytes(wrong)
    assert numbers_of(decode_selection(tmp_path / name).frames) == list(range(7))
    with open_video(tmp_path / name) as container:
        titles = [*container.metadata.values(), *container.streams.video[0].metadata.values()]
    assert "Gr\ufffd\ufffde!!" in titles


def test_the_name_of_a_file_that_is_not_utf8_can_be_printed(tmp_path):
    for name in ("bad\udcff.mp4", "line\nbreak.mp4"):
        with pytest.raises(ValueError) as error:
            probe_video(tmp_path / name)
        assert str(error.value).isprintable() and "was not found" in str(error.value)


def test_ticks_are_those_of_the_file(tmp_path):
    encode(tmp_path / "x.ts", "libx264", images(range(3)))
    probe = probe_video(tmp_path / "x.ts")
    assert probe.tick == Fraction(1, 90000)
    np.testing.assert_allclose(
        [time / probe.tick for time in probe.times], np.round([time / probe.tick for time in probe.times])
    )
