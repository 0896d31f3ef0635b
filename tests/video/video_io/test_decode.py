"""Decoding a window of a video:
the right frames, at the right size, in the right colours, or a clear error.
"""

import gc
import io
import pathlib
import struct
from fractions import Fraction

import av
import numpy as np
import pytest
import torch
from zoetrope.video_io.decode import decode_selection
from zoetrope.video_io.encode import encode_h264
from zoetrope.video_io.frame_plan import FrameRequest
from zoetrope.video_io.frame_selection import ReadOptions
from zoetrope.video_io.frame_size import SizeRequest
from zoetrope.video_io.probe import probe_video
from zoetrope.video_io.sound import read_sound

HEIGHT, WIDTH, FRAMES = 34, 46, 23


def grey(level):
    return np.full((HEIGHT, WIDTH, 3), round(level * 255), np.uint8)


def write(
    path, levels, codec="ffv1", pix_fmt="yuv444p", rate=10, times=None, options=None, images=None, tune=None
):
    """A video of grey frames (or `pictures`, in the layout that comes with them),
    each shown from its time in milliseconds.
    """
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options=options or {})
        stream.pix_fmt, stream.height, stream.width = pix_fmt, HEIGHT, WIDTH
        stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
        if tune:
            tune(stream)
        for i, level in enumerate(levels):
            array, layout = (grey(level), "rgb24") if images is None else images[i]
            frame = av.VideoFrame.from_ndarray(array, format=layout)
            frame.pts, frame.time_base = (times[i] if times else i * 1000 // rate), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return str(path)


def levels_of(video):
    return video.frames.mean((1, 2, 3))


RAMP = [i / 40 for i in range(FRAMES)]


@pytest.fixture(scope="module")
def ramp(tmp_path_factory):
    return write(tmp_path_factory.mktemp("v") / "ramp.mkv", RAMP)


def test_all_frames_come_back(ramp):
    told = []
    video = decode_selection(ramp, ReadOptions(progress=lambda done, of: told.append((done, of))))
    assert (
        video.frames.shape == (FRAMES, HEIGHT, WIDTH, 3)
        and video.frames.dtype == torch.float32
        and video.alpha is None
    )
    torch.testing.assert_close(levels_of(video), torch.tensor(RAMP), atol=0.006, rtol=0)
    assert (video.fps, video.probe.num_frames, video.probe.bit_depth, video.probe.has_audio) == (
        10,
        FRAMES,
        8,
        False,
    )
    assert told == [(i + 1, FRAMES) for i in range(FRAMES)]


@pytest.mark.parametrize(
    "wanted",
    [
        {"start_seconds": 1.1, "duration_seconds": 0.4},
        {"skip_first_frames": 7, "select_every_nth": 3, "frame_cap": 4},
        {"force_rate": 25.0, "frame_cap": 9},
        {"force_rate": 4.0},
        {"multiple": 8, "offset": 1},
    ],
)
def test_a_window_is_the_same_frames_as_of_the_whole(ramp, wanted):
    whole, part = decode_selection(ramp), decode_selection(ramp, ReadOptions(FrameRequest(**wanted)))
    assert torch.equal(part.frames, whole.frames[part.numbers])
    assert part.fps == wanted.get("force_rate", 10) / wanted.get("select_every_nth", 1)


def test_seeking_finds_frames_behind_key_frames(tmp_path):
    """H.264 with B-frames and one key frame:
    what is decoded from the middle is what is decoded from the start.
    """
    path = write(tmp_path / "b.mp4", RAMP, "libx264", "yuv420p", options={"bf": "3", "g": "250"})
    whole, part = (
        decode_selection(path),
        decode_selection(path, ReadOptions(FrameRequest(skip_first_frames=11, frame_cap=5))),
    )
    assert torch.equal(part.frames, whole.frames[11:16])


def test_frames_of_unequal_length(tmp_path):
    path = write(tmp_path / "vfr.mkv", [0.1, 0.3, 0.5, 0.7], times=[0, 100, 200, 1000])
    assert decode_selection(path).probe.num_frames == 4
    video = decode_selection(path, ReadOptions(FrameRequest(force_rate=5.0, duration_seconds=1.2)))
    torch.testing.assert_close(
        levels_of(video), torch.tensor([0.1, 0.5, 0.5, 0.5, 0.5, 0.7]), atol=0.006, rtol=0
    )


def test_sizes(ramp):
    assert decode_selection(
        ramp, ReadOptions(FrameRequest(frame_cap=2), SizeRequest(width=24))
    ).frames.shape == (2, 18, 24, 3)
    assert decode_selection(
        ramp, ReadOptions(FrameRequest(frame_cap=2), SizeRequest(multiple_of=8))
    ).frames.shape == (2, 32, 48, 3)
    padded = decode_selection(
        ramp, ReadOptions(FrameRequest(skip_first_frames=20, frame_cap=1), SizeRequest(32, 32, "pad"))
    ).frames[0]
    assert float(padded[:4].abs().max()) == 0 and float(padded[14:18].min()) > 0.45
    cropped = decode_selection(
        ramp, ReadOptions(FrameRequest(skip_first_frames=20, frame_cap=1), SizeRequest(32, 32, "crop"))
    ).frames[0]
    assert cropped.shape == (32, 32, 3) and float(cropped.min()) > 0.45


def test_a_crop_is_the_middle(tmp_path):
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[:, 20:26] = 255
    path = write(tmp_path / "m.mkv", [0], images=[(image, "rgb24")])
    frame = (
        decode_selection(path, ReadOptions(size=SizeRequest(width=34, height=34, resize="crop")))
        .frames[0]
        .mean(2)
    )
    assert (
        float(frame[:, 14:20].min()) > 0.9
        and float(frame[:, :12].max()) < 0.1
        and float(frame[:, 22:].max()) < 0.1
    )


def test_transparency_becomes_alpha(tmp_path):
    image = np.full((HEIGHT, WIDTH, 4), 255, np.uint8)
    image[:, : WIDTH // 2, 3] = 0
    path = write(tmp_path / "a.mov", [0, 0], "qtrle", "argb", images=[(image, "rgba")] * 2)
    video = decode_selection(path)
    assert video.alpha.shape == (2, HEIGHT, WIDTH)
    assert (
        float(video.alpha[:, :, : WIDTH // 2].max()) == 0
        and float(video.alpha[:, :, WIDTH // 2 :].min()) == 1
    )


@pytest.mark.parametrize(
    ("codec", "suffix", "pix_fmt", "bits"),
    [
        ("libx264", "mp4", "yuv420p", 8),
        ("libx264", "mp4", "yuv420p10le", 10),
        ("ffv1", "mkv", "yuv420p10le", 10),
        ("libvpx-vp9", "webm", "yuv420p", 8),
        ("prores_ks", "mov", "yuv422p10le", 10),
        ("ffv1", "mkv", "gray", 8),
        ("mpeg4", "avi", "yuv420p", 8),
        ("gif", "gif", "rgb8", None),
        ("apng", "apng", "rgb24", 8),
        ("mjpeg", "avi", "yuvj420p", 8),
    ],
)
def test_codecs(tmp_path, codec, suffix, pix_fmt, bits):
    if codec not in av.codec.codecs_available:
        pytest.skip(f"this PyAV has no {codec}")
    path = write(tmp_path / f"x.{suffix}", RAMP[:9], codec, pix_fmt)
    video = decode_selection(path)
    assert bits is None or video.probe.bit_depth == bits
    torch.testing.assert_close(
        levels_of(video), torch.tensor(RAMP[:9]), atol=0.08 if codec == "gif" else 0.02, rtol=0
    )


@pytest.mark.parametrize(("height", "space"), [(34, "ITU601"), (720, "ITU709")])
def test_untagged_colours_are_read_as_players_read_them(tmp_path, height, space):
    green = np.zeros((height, 64, 3), np.uint8)
    green[..., 1] = 255
    frame = av.VideoFrame.from_ndarray(green, format="rgb24").reformat(format="yuv444p", dst_colorspace=space)
    path = tmp_path / "c.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.pix_fmt, stream.height, stream.width = "yuv444p", height, 64
        frame.pts, frame.colorspace = 0, 2
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    pixel = decode_selection(str(path)).frames[0, height // 2, 32]
    torch.testing.assert_close(pixel, torch.tensor([0.0, 1.0, 0.0]), atol=0.02, rtol=0)


def test_our_own_files_come_back_in_their_colours():
    colours = torch.tensor(
        [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.9, 0.7, 0.6], [0.5, 0.5, 0.5]], dtype=torch.float32
    )
    buffer = io.BytesIO()
    encode_h264([c.expand(HEIGHT, WIDTH, 3) for c in colours], buffer, fps=8, crf=5)
    got = decode_selection(buffer).frames[:, 17, 23]
    torch.testing.assert_close(got, colours, atol=0.02, rtol=0)


def hdr(transfer):
    def tune(stream):
        context = stream.codec_context
        context.color_primaries, context.color_trc, context.colorspace = 9, transfer, 9

    return tune


@pytest.mark.parametrize(("transfer", "white"), [(16, 0.5807), (18, 0.75)])
def test_hdr_is_shown_as_sdr(tmp_path, transfer, white):
    """BT.2408: diffuse white is 58 % of PQ's signal and 75 % of HLG's;
    both are a light grey in SDR, and black stays black.
    """
    image = np.full((HEIGHT, WIDTH, 3), round(white * 65535), np.uint16)
    image[: HEIGHT // 2] = 0
    path = write(
        tmp_path / "h.mkv", [0], "ffv1", "yuv420p10le", images=[(image, "rgb48le")], tune=hdr(transfer)
    )
    frame = decode_selection(path).frames[0]
    assert float(frame[: HEIGHT // 2 - 3].max()) < 0.02
    bright = frame[HEIGHT // 2 + 3 :].mean((0, 1))
    assert (
        float(bright.min()) > 0.6 and float(bright.max()) < 0.95 and float(bright.max() - bright.min()) < 0.03
    )


def turned(path, degrees):
    """The file with another display matrix in its track header, as phones write it."""
    content = bytearray(pathlib.Path(path).read_bytes())
    matrix = content.index(b"tkhd") + 4 + 40
    one = 1 << 16
    a, b, c, d = {90: (0, one, -one, 0), 180: (-one, 0, 0, -one), 270: (0, -one, one, 0)}[degrees]
    content[matrix : matrix + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    return io.BytesIO(bytes(content))


@pytest.mark.parametrize(("degrees", "corner"), [(90, (0, -1)), (180, (-1, -1)), (270, (-1, 0))])
def test_phone_videos_stand_upright(tmp_path, degrees, corner):
    """A white patch at the top left of what is stored is seen
    where a player that turns clockwise by `degrees` shows it.
    """
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[:10, :10] = 255
    path = write(
        tmp_path / "r.mp4", [0, 0], "libx264", "yuv420p", images=[(image, "rgb24")] * 2, options={"crf": "5"}
    )
    frame = decode_selection(turned(path, degrees)).frames[0].mean(2)
    assert frame.shape == ((WIDTH, HEIGHT) if degrees % 180 else (HEIGHT, WIDTH))
    y, x = (slice(2, 7) if c == 0 else slice(-7, -2) for c in corner)
    assert float(frame[y, x].min()) > 0.8
    assert float(frame.sum()) < 150


def test_pixels_that_are_not_square(tmp_path):
    def wide(stream):
        stream.sample_aspect_ratio = Fraction(2, 1)

    path = write(tmp_path / "sar.mp4", RAMP[:3], "libx264", "yuv420p", tune=wide)
    assert probe_video(path).aspect == 2
    assert decode_selection(path).frames.shape == (3, HEIGHT, 2 * WIDTH, 3)


def test_interlaced_frames_are_made_whole(tmp_path):
    """Both fields of a moving edge are in one frame: read as it is, rows alternate."""
    images = []
    for i in range(5):
        image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        image[0::2, : 10 + 4 * i] = 255
        image[1::2, : 12 + 4 * i] = 255
        images.append((image, "rgb24"))

    def fields(stream):
        stream.codec_context.time_base = stream.time_base = Fraction(1, 25)
        stream.codec_context.flags |= (
            av.codec.context.Flags.interlaced_dct | av.codec.context.Flags.interlaced_me
        )

    path = write(
        tmp_path / "i.avi",
        [0] * 5,
        "mpeg2video",
        "yuv422p",
        rate=25,
        images=images,
        tune=fields,
        options={"b": "8000000"},
    )
    with av.open(path) as container:
        assert next(container.decode(video=0)).interlaced_frame
    video = decode_selection(path)
    assert len(video.frames) == 5
    middle = video.frames[2].mean(2)[8:24]
    combing = (middle[1:-1] - (middle[:-2] + middle[2:]) / 2).abs().amax()
    assert float(combing) < 0.35


def test_one_frame_and_odd_sides(tmp_path):
    image = np.full((33, 45, 3), 128, np.uint8)
    path = tmp_path / "odd.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.pix_fmt, stream.height, stream.width = "yuv444p", 33, 45
        container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    assert decode_selection(str(path)).frames.shape == (1, 33, 45, 3)


def with_sound(path, seconds, frames):
    with av.open(str(path), "w") as container:
        sound = container.add_stream("aac", rate=8000, layout="mono")
        image = container.add_stream("libx264", rate=10) if frames else None
        if image:
            image.pix_fmt, image.height, image.width = "yuv420p", HEIGHT, WIDTH
            for level in RAMP[:frames]:
                container.mux(image.encode(av.VideoFrame.from_ndarray(grey(level), format="rgb24")))
            container.mux(image.encode())
        wave = np.sin(np.arange(8000 * seconds) * 0.3).astype(np.float32) * np.linspace(
            0, 1, 8000 * seconds, dtype=np.float32
        )
        frame = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
        frame.rate, frame.pts = 8000, 0
        container.mux(sound.encode(frame))
        container.mux(sound.encode())
    return str(path)


def test_sound_of_the_same_span(tmp_path):
    path = with_sound(tmp_path / "s.mp4", 4, FRAMES)
    sound = read_sound(path, 1.0, 2.5)
    assert sound["sample_rate"] == 8000 and sound["waveform"].shape == (1, 1, 12000)
    loudness = sound["waveform"][0, 0].unfold(0, 4000, 4000).square().mean(1).sqrt() * 2**0.5
    torch.testing.assert_close(loudness, torch.tensor([0.3125, 0.4375, 0.5625]), atol=0.03, rtol=0)
    beyond = read_sound(path, 3.5, 5.0)["waveform"][0, 0]
    assert beyond.shape == (12000,) and float(beyond[6000:].abs().max()) == 0


def test_without_sound(ramp):
    assert read_sound(ramp, 0.0, 1.0) is None


def test_memory_is_asked_before_it_is_taken(ramp):
    needed = FRAMES * HEIGHT * WIDTH * 12
    assert len(decode_selection(ramp, ReadOptions(free_memory=lambda: needed)).frames) == FRAMES
    with pytest.raises(ValueError, match=r"23 frames of 46x34 need 0.00 GiB of memory .* take fewer frames"):
        decode_selection(ramp, ReadOptions(free_memory=lambda: needed - 1))


def test_memory_is_announced(ramp, caplog):
    with caplog.at_level("INFO"):
        decode_selection(ramp, ReadOptions(FrameRequest(frame_cap=4), free_memory=lambda: 3 << 30))
    assert "4 frames of 46x34 need 0.00 GiB of memory and 3.00 GiB are free." in caplog.messages


def test_frames_leave_the_memory_without_waiting_for_the_collector(ramp):
    """A 1080p frame takes 3 MiB: what lives until cycles are collected adds up to hundreds of MiB."""
    gc.collect()
    gc.disable()
    try:
        decode_selection(ramp)
        alive = sum(isinstance(thing, av.VideoFrame) for thing in gc.get_objects())
    finally:
        gc.enable()
    assert alive < FRAMES / 2


class Cancelled(BaseException):
    pass


def test_reading_can_be_stopped_at_every_packet(tmp_path):
    """On the first pass, while frames are decoded that nobody wants,
    while they are counted by decoding, and in the sound.
    """
    mkv, raw = (write(tmp_path / name, RAMP, "libx264", "yuv420p") for name in ("a.mkv", "a.h264"))
    for path, stops in ((mkv, range(2 * FRAMES)), (raw, range(3 * FRAMES))):
        for after in stops:
            calls = iter(range(after))

            def stop(calls=calls):
                if next(calls, None) is None:
                    raise Cancelled

            with pytest.raises(Cancelled):
                decode_selection(path, ReadOptions(FrameRequest(skip_first_frames=FRAMES - 1), stop=stop))
    with pytest.raises(Cancelled):
        read_sound(with_sound(tmp_path / "s.mp4", 1, 5), 0.0, 0.5, stop=stop)


def test_bad_files_say_what_is_wrong(tmp_path, ramp):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("no video at all")
    mp4 = write(tmp_path / "good.mp4", RAMP, "libx264", "yuv420p")
    whole = pathlib.Path(mp4).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    cases = {"empty.mp4": "'empty.mp4' cannot be read", "text.mp4": "'text.mp4' cannot be read"}
    cases["missing.mp4"] = "'missing.mp4' was not found"
    for name, told in cases.items():
        with pytest.raises(ValueError, match=told):
            decode_selection(tmp_path / name)
    with pytest.raises(ValueError, match="cannot be read|no frames|could be decoded"):
        decode_selection(tmp_path / "cut.mp4")
    with pytest.raises(ValueError, match="has no pictures, only audio"):
        decode_selection(with_sound(tmp_path / "sound.mp4", 1, 0))


def test_a_damaged_end_is_told_with_its_time_and_what_comes_before_can_be_had(tmp_path):
    path = write(
        tmp_path / "x.mkv",
        RAMP,
        "libx264",
        "yuv420p",
        options={"g": "5", "crf": "1"},
        images=[
            (np.random.RandomState(i).randint(0, 255, (HEIGHT, WIDTH, 3), np.uint8), "rgb24")
            for i in range(FRAMES)
        ],
    )
    content = pathlib.Path(path).read_bytes()
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(content[: len(content) * 2 // 3])
    count = probe_video(cut).num_frames
    assert 8 < count < FRAMES
    assert len(decode_selection(cut, ReadOptions(FrameRequest(frame_cap=count - 4))).frames) == count - 4
