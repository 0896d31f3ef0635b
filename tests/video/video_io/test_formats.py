"""Every format that the installed PyAV can write, read back:
frames, rate, colours, opacity, sound, loops, and what is refused.
"""

from dataclasses import replace

import av
import pytest
import torch
from PIL import Image
from zoetrope.video_io import encode, formats
from zoetrope.video_io.encode import EncodeSettings, VideoEncoder
from zoetrope.video_io.formats import VIDEO_FORMATS, available_formats, find_format

FORMATS = available_formats()
WIDTH, HEIGHT, FRAMES = 70, 66, 7
PATCHES = torch.tensor([[0.9, 0.2, 0.1], [0.1, 0.8, 0.2], [0.2, 0.1, 0.9], [0.5, 0.5, 0.5], [0.9, 0.7, 0.6]])
EXACT = {"FFV1 (mkv)", "APNG"}


def image(number):
    """Five vertical bars of one colour each; their brightness tells the frame."""
    bars = PATCHES.repeat_interleave(WIDTH // len(PATCHES), 0)
    return (bars * (1 - 0.1 * number)).expand(HEIGHT, WIDTH, 3)


def middles(frame):
    step = WIDTH // len(PATCHES)
    return frame[HEIGHT // 2, step // 2 :: step]


def write(path, name, frames, alpha=None, audio=None, metadata=None, **settings):
    encoder = VideoEncoder(
        str(path),
        EncodeSettings(name, settings.pop("fps", 12.5), **settings),
        alpha is not None,
        audio,
        metadata,
    )
    for frame in frames:
        encoder.write(frame, alpha)
    assert encoder.finish() == len(frames)
    return path


def read(path, name):
    """RGBA frames (F, H, W, 4) in 0..255 as a player shows them."""
    if FORMATS[name].played_as == "image":
        with Image.open(path) as file:
            found = []
            for number in range(file.n_frames):
                file.seek(number)
                found.append(
                    torch.frombuffer(bytearray(file.convert("RGBA").tobytes()), dtype=torch.uint8).view(
                        *file.size[::-1], 4
                    )
                )
            return torch.stack(found).float()
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        decoder = (
            av.CodecContext.create("libvpx-vp9", "r")
            if stream.codec_context.name == "vp9"
            else stream.codec_context
        )
        # FFmpeg's own VP9 decoder leaves the opacity out.
        frames = [frame for packet in container.demux(stream) for frame in decoder.decode(packet)]
        kept = {"src_colorspace": "ITU709", "dst_color_range": "JPEG"}
        return torch.stack(
            [torch.from_numpy(f.reformat(format="rgba", **kept).to_ndarray()) for f in frames]
        ).float()


@pytest.mark.parametrize("name", FORMATS)
def test_frames_rate_and_colours_come_back(name, tmp_path):
    path = write(tmp_path / f"x.{FORMATS[name].extension}", name, [image(i) for i in range(FRAMES)])
    found = read(path, name)
    assert found.shape == (FRAMES, HEIGHT, WIDTH, 4)
    for number, frame in enumerate(found):
        away = (middles(frame)[:, :3] - middles(image(number)) * 255).abs().max()
        assert away <= (0.5 if name in EXACT else 14 if name == "GIF" else 8), number
        assert (frame[..., 3] == 255).all()
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        if name != "WebP":  # which FFmpeg reads only as still pictures
            assert stream.average_rate == 12.5
        if FORMATS[name].played_as == "video":
            context = stream.codec_context
            assert (context.color_primaries, context.color_trc, context.colorspace, context.color_range) == (
                1,
                1,
                1,
                1,
            )


@pytest.mark.parametrize("name", [name for name, entry in FORMATS.items() if entry.alpha_pix_fmt])
def test_opacity_comes_back(name, tmp_path):
    alpha = torch.ones(HEIGHT, WIDTH)
    alpha[:, : WIDTH // 2] = 0
    alpha[:20] = 0.6
    path = write(tmp_path / f"x.{FORMATS[name].extension}", name, [image(i) for i in range(3)], alpha)
    found = read(path, name)[2, ..., 3]
    assert found[40, 8] <= 4 and found[40, -8] >= 251
    assert found[5, 8] == pytest.approx(
        255 if name == "GIF" else 153, abs=4
    )  # GIF knows only seen and not seen


def test_deep_formats_keep_what_eight_bits_would_round(tmp_path):
    ramp = torch.linspace(0.5, 0.52, WIDTH).expand(3, HEIGHT, WIDTH).movedim(0, -1)
    path = write(tmp_path / "x.mkv", "FFV1 (mkv)", [ramp], pix_fmt="gbrp16le")
    with av.open(str(path)) as container:
        found = torch.from_numpy(next(container.decode(video=0)).to_ndarray(format="rgb48le").astype("int32"))
    assert (found - ramp * 65535).abs().max() <= 1


def tone(channels, seconds, rate=22050, hertz=441):
    wave = torch.sin(torch.arange(int(seconds * rate)) / rate * hertz * 6.2832) * 0.5
    return {"waveform": wave.expand(1, channels, -1), "sample_rate": rate}


@pytest.mark.parametrize("name", [name for name, entry in FORMATS.items() if entry.audio])
@pytest.mark.parametrize("channels", [1, 2])
def test_sound_is_as_long_as_the_video_and_stands_beside_it(name, channels, tmp_path):
    path = write(
        tmp_path / f"x.{FORMATS[name].extension}",
        name,
        [image(i % 3) for i in range(30)],
        audio=tone(channels, 9),
        fps=10,
    )
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        assert stream.codec_context.channels == channels
        sound = torch.cat(
            [torch.from_numpy(f.to_ndarray()).flatten() for f in container.decode(stream)][1:]
        ).float()
        rate = stream.codec_context.sample_rate
    if stream.codec_context.format.is_packed and channels == 2:
        sound = sound[::2]
        seconds = len(sound) / rate
    else:
        seconds = len(sound) / rate / channels
    assert seconds == pytest.approx(3, abs=0.35)
    half = sound[: len(sound) // channels // 2 * 2] if not stream.codec_context.format.is_packed else sound
    crossings = (half[1:].sign() != half[:-1].sign()).sum() / 2 / (len(half) / rate)
    assert crossings == pytest.approx(441, rel=0.05)
    with av.open(str(path)) as container:
        times = {"video": 0.0, "audio": 0.0}
        apart = 0.0
        for packet in container.demux():
            if packet.size:
                times[packet.stream.type] = float(packet.pts * packet.time_base)
                apart = max(apart, abs(times["video"] - times["audio"]))
    assert apart < 2.5


@pytest.mark.parametrize(
    ("name", "key", "plays"), [("GIF", "loop", 2), ("WebP", "loop", 3), ("APNG", "loop", 3)]
)
def test_loops(name, key, plays, tmp_path):
    """GIF stores how often it is repeated after the first time."""
    path = tmp_path / f"x.{FORMATS[name].extension}"
    with Image.open(write(path, name, [image(i) for i in range(3)], loops=3)) as file:
        assert file.info[key] == plays
    with Image.open(write(path, name, [image(i) for i in range(3)], loops=0)) as file:
        assert file.info[key] == 0


@pytest.mark.parametrize("name", FORMATS)
def test_odd_sides_are_made_even_only_where_they_must_be(name, tmp_path):
    frame = torch.zeros(67, 71, 3)
    frame[-1], frame[:, -1] = 1, 1
    found = read(write(tmp_path / f"x.{FORMATS[name].extension}", name, [frame, frame * 0.9]), name)
    height, width = found.shape[1:3]
    assert height in ((68,) if "420" in FORMATS[name].pix_fmt else (67,))
    assert width in ((72,) if "42" in FORMATS[name].pix_fmt else (71,))
    assert found[0, -1, :, :3].mean() > 180 and found[0, :, -1, :3].mean() > 180


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("count", [1, 2])
def test_the_shortest_videos(name, count, tmp_path):
    found = read(
        write(tmp_path / f"x.{FORMATS[name].extension}", name, [image(3 * i) for i in range(count)]), name
    )
    assert len(found) == count
    assert (middles(found[-1])[:, :3] - middles(image(3 * count - 3)) * 255).abs().max() <= 14


def test_crf_changes_the_size(tmp_path):
    torch.manual_seed(1)
    frames = list(torch.rand(4, HEIGHT, WIDTH, 3))
    for name, entry in FORMATS.items():
        if entry.crf is not None:
            best, worst, usual = entry.crf
            sizes = [
                write(tmp_path / f"x.{entry.extension}", name, frames, crf=c).stat().st_size
                for c in (best + 1, usual, worst - 1)
            ]
            assert sizes[0] > sizes[1] > sizes[2], name


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("H.264 (mp4)", {"fps": 0}, "fps=0 must be above 0"),
        ("H.264 (mp4)", {"fps": float("nan")}, "fps=nan"),
        ("GIF", {"fps": 60}, "fps=60 must be above 0 and at most 50 in GIF"),
        ("H.264 (mp4)", {"crf": 60}, "crf=60 must lie between 1"),
        ("FFV1 (mkv)", {"crf": 20}, "crf=20 has no meaning in FFV1"),
        ("H.264 (mp4)", {"pix_fmt": "bgra"}, "pix_fmt=bgra does not go with H.264"),
        (
            "H.264 (mp4)",
            {"alpha": torch.ones(HEIGHT, WIDTH)},
            "keeps no transparency; disconnect the mask or choose VP9",
        ),
        (
            "ProRes (mov)",
            {"alpha": torch.ones(HEIGHT, WIDTH), "pix_fmt": "yuv444p10le"},
            "pix_fmt=yuv444p10le keeps no transparency",
        ),
        ("WebP", {"audio": tone(1, 1)}, "WebP has no sound; disconnect the audio or choose H.264"),
        ("H.264 (mp4)", {"audio": tone(9, 1)}, "audio has 9 channels"),
        ("APNG", {"loops": -1}, "loop_count=-1"),
    ],
)
def test_what_a_format_lacks_is_refused_with_what_to_do(name, arguments, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        write(tmp_path / "x", name, [image(0)], **arguments)


def test_sizes_that_do_not_fit_are_refused(tmp_path):
    for name, side in (("H.265 (mp4)", 8), ("WebP", 16400)):
        with pytest.raises(ValueError, match="do not fit .* resize them"):
            write(tmp_path / "x", name, [torch.zeros(16, side, 3)])
    with pytest.raises(ValueError, match="size of the first, 70x66, and one of 64x66 came"):
        write(tmp_path / "x.mp4", "H.264 (mp4)", [image(0), torch.zeros(66, 64, 3)])


def test_formats_without_an_encoder_are_not_offered(monkeypatch):
    monkeypatch.setitem(
        VIDEO_FORMATS, "Future", formats.replace(VIDEO_FORMATS["GIF"], codec="no_such_encoder")
    )
    assert "Future" not in available_formats()
    with pytest.raises(
        ValueError, match="'Future' needs an encoder that the installed PyAV lacks; choose one of H.264"
    ):
        find_format("Future")
    with pytest.raises(ValueError, match="'x' is unknown"):
        find_format("x")


def test_this_pyav_has_them_all():
    assert set(FORMATS) == set(VIDEO_FORMATS)


@pytest.mark.parametrize("name", ["H.264 (mp4)", "H.265 (mp4)", "AV1 (mp4)", "GIF"])
def test_an_encoder_of_the_graphics_card_is_replaced_where_it_does_not_open(tmp_path, name, caplog):
    """With a card the file is the same kind of file, without one the processor makes it and it is said."""
    path = write(tmp_path / "x", name, [image(0), image(1)], hardware=True)
    with av.open(str(path)) as container:
        codec = container.streams.video[0].codec_context.name
        assert sum(1 for _ in container.decode(video=0)) == 2
    assert codec in {"h264", "hevc", "libdav1d", "av1", "gif"}
    if name == "GIF":
        assert "GIF is encoded on the processor: graphics cards have no encoder for it" in caplog.text


def test_an_encoder_that_opens_is_taken(tmp_path, monkeypatch, caplog):
    """MPEG-4 stands in for a card, which the computer of a test may not have."""
    entry = replace(VIDEO_FORMATS["H.264 (mp4)"], hardware="mpeg4")
    monkeypatch.setitem(available_formats(), "H.264 (mp4)", entry)
    monkeypatch.setattr(encode, "hardware_options", lambda crf: {"qscale": f"{crf:g}"})
    for hardware, codec in ((True, "mpeg4"), (False, "h264")):
        path = write(tmp_path / codec, "H.264 (mp4)", [image(0)], hardware=hardware)
        with av.open(str(path)) as container:
            assert container.streams.video[0].codec_context.name == codec
    assert not caplog.records


def test_quality_for_a_card_stays_in_its_range():
    assert [formats.hardware_options(crf)["cq"] for crf in (0, 18, 63)] == ["1", "18", "51"]
