"""Animated pictures show what their formats' rules say:
frames laid over others, in part, taken away again, for their time.

The oracle is tests/animations.py, which puts the frames together with numpy.
"""

import io
import itertools

import av
import numpy as np
import pytest
import torch
from PIL import Image, PngImagePlugin, features
from zoetrope.tests.animations import CLEAR, KEEP, PALETTE, RESTORE, Part, apng, gif, shown, webp
from zoetrope.video_io.encode import EncodeSettings
from zoetrope.video_io.frame_plan import FrameRequest
from zoetrope.video_io.frame_selection import ReadOptions
from zoetrope.video_io.frame_size import SizeRequest
from zoetrope.video_io.image_files import is_animated, take_animation
from zoetrope.video_io.video_file import VideoFile

WIDTH, HEIGHT = 17, 11
OWN = SizeRequest()


def painted(rng, height, width, opacity):
    """Random colours of the palette; opacity a number, "holes" or "half"."""
    alpha = {
        "holes": rng.choice([0, 255], (height, width)),
        "half": rng.integers(1, 255, (height, width)),
    }.get(opacity, opacity)
    alpha = np.broadcast_to(alpha, (height, width))[..., None]
    return np.concatenate([PALETTE[rng.integers(0, 7, (height, width))], alpha], -1).astype(np.uint8)


def scene(disposals, over, opacity, first=(HEIGHT, WIDTH, 0, 0)):
    """Four frames: one of a whole canvas or of a part, then three of parts."""
    rng = np.random.default_rng(1)
    places = [first, (5, 6, 2, 4), (3, 8, 6, 2), (4, 4, 0, 6)]
    times = [70, 0, 130, 10]
    return [
        Part(painted(rng, height, width, opacity), x, y, over, disposal, time)
        for (height, width, x, y), disposal, time in zip(places, (*disposals, KEEP, KEEP), times, strict=True)
    ]


def check(path, parts, size=(WIDTH, HEIGHT)):
    """Fails unless what is read is what is shown; colours count where they can be seen."""
    found = take_animation(path, ReadOptions(FrameRequest(), OWN))
    wanted = np.stack(shown(parts, *size))
    alpha = np.ones(wanted.shape[:3]) if found.alpha is None else found.alpha.numpy()
    np.testing.assert_allclose(alpha, wanted[..., 3], atol=0.01)
    seen = wanted[..., 3:]
    np.testing.assert_allclose(found.frames.numpy() * seen, wanted[..., :3] * seen, atol=0.012)
    return found


@pytest.mark.parametrize("over", [False, True])
@pytest.mark.parametrize("opacity", [255, "holes", "half"])
@pytest.mark.parametrize("disposals", list(itertools.product((KEEP, CLEAR, RESTORE), repeat=2)))
def test_apng(tmp_path, disposals, opacity, over):
    parts = scene(disposals, over, opacity)
    (tmp_path / "x.png").write_bytes(apng(parts, WIDTH, HEIGHT))
    found = check(tmp_path / "x.png", parts)
    # 0 and 10 milliseconds are shown for 100, as browsers do
    assert found.probe.times == pytest.approx((0, 0.07, 0.17, 0.30)) and found.probe.end == pytest.approx(0.4)


@pytest.mark.parametrize("disposals", list(itertools.product((KEEP, CLEAR, RESTORE), repeat=2)))
def test_gif(tmp_path, disposals):
    for first in ((HEIGHT, WIDTH, 0, 0), (7, 9, 4, 2)):
        parts = scene(disposals, True, "holes", first)
        (tmp_path / "x.gif").write_bytes(gif(parts, WIDTH, HEIGHT))
        found = check(tmp_path / "x.gif", parts)
        assert found.probe.times == pytest.approx((0, 0.07, 0.17, 0.30))


@pytest.mark.parametrize("over", [False, True])
@pytest.mark.parametrize("opacity", [255, "holes", "half"])
@pytest.mark.parametrize("disposals", list(itertools.product((KEEP, CLEAR), repeat=2)))
def test_webp(tmp_path, disposals, opacity, over):
    for first in ((HEIGHT, WIDTH, 0, 0), (7, 9, 4, 2)):
        parts = scene(disposals, over, opacity, first)
        (tmp_path / "x.webp").write_bytes(webp(parts, WIDTH, HEIGHT))
        found = check(tmp_path / "x.webp", parts)
        assert found.probe.times == pytest.approx((0, 0.07, 0.17, 0.30))


def test_the_default_image_of_an_apng_is_no_frame(tmp_path):
    parts = scene(
        (KEEP, RESTORE), True, "half", first=(7, 9, 4, 2)
    )  # only behind a default image may the first be smaller
    default = np.full((HEIGHT, WIDTH, 4), 255, np.uint8)
    for plays in (0, 1, 5):
        (tmp_path / "x.png").write_bytes(apng(parts, WIDTH, HEIGHT, default, plays=plays))
        check(tmp_path / "x.png", parts)
    images = [Image.new("RGB", (16, 16), (40 * n, 0, 0)) for n in range(4)]
    images[0].save(
        tmp_path / "pillow.png", save_all=True, append_images=images[1:], default_image=True, duration=100
    )
    found = take_animation(tmp_path / "pillow.png", ReadOptions(FrameRequest(), OWN))
    assert [round(float(frame[0, 0, 0]) * 255) for frame in found.frames] == [
        40,
        80,
        120,
    ] and found.alpha is None


@pytest.mark.parametrize("mode", ["P", "L", "LA", "1", "RGB"])
def test_apng_of_other_kinds_of_pixels(tmp_path, mode):
    images = [
        Image.fromarray(np.uint8([[(127 * n, 20, 90), (250, 120 * n, 9 * n)]] * 3)).convert(mode)
        for n in range(3)
    ]
    images[0].save(tmp_path / "x.png", save_all=True, append_images=images[1:], duration=100)
    found = take_animation(tmp_path / "x.png", ReadOptions(FrameRequest(), OWN))
    for frame, image in zip(found.frames, images, strict=True):
        np.testing.assert_allclose(frame.numpy() * 255, np.asarray(image.convert("RGB")), atol=0.6)


def test_an_apng_of_16_bits_keeps_them(tmp_path):
    ramp = (
        torch.linspace(0.2, 0.21, 67).view(1, 67, 1).expand(11, 67, 3).contiguous()
    )  # 655 of 65536 levels, 2 of 256
    with VideoFile(tmp_path, "deep", EncodeSettings("APNG", 8, pix_fmt="rgb48be")) as file:
        file.write(ramp)
        file.write(1 - ramp)
    found = take_animation(file.path, ReadOptions(FrameRequest(), OWN))
    assert found.probe.bit_depth == 16 and found.fps == pytest.approx(8)
    torch.testing.assert_close(found.frames, torch.stack([ramp, 1 - ramp]), atol=1e-5, rtol=0)


def test_is_animated_reads_the_header_and_no_more(tmp_path):
    images = [Image.new("RGB", (16, 16), (40 * n, 0, 0)) for n in range(3)]
    text = PngImagePlugin.PngInfo()
    text.add_text("workflow", "1," * 3000)
    images[0].save(
        tmp_path / "moving.png", save_all=True, append_images=images[1:], duration=100, pnginfo=text
    )
    text = PngImagePlugin.PngInfo()
    text.add_text("note", "acTL")
    images[0].save(tmp_path / "still.png", pnginfo=text)
    (tmp_path / "cut.png").write_bytes((tmp_path / "still.png").read_bytes()[:20])
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "empty.avif").write_bytes(b"")
    assert is_animated(tmp_path / "moving.png")
    for name in ("still.png", "cut.png", "text.png", "empty.avif", "not there.png", "not there.gif"):
        assert not is_animated(tmp_path / name), name


def test_damage_of_an_apng_is_named(tmp_path):
    whole = apng(scene((KEEP, KEEP), True, 255), WIDTH, HEIGHT)
    path = tmp_path / "x.png"
    at = whole.rindex(b"fdAT") + 9
    changed = whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :]
    for content, why in ((whole[: len(whole) // 2], "ends early"), (changed, "check sum")):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=f"'x.png' cannot be decoded to its end .*{why}.*: repair it"):
            take_animation(path, ReadOptions(FrameRequest(), OWN))
    parts = [Part(np.zeros((HEIGHT, WIDTH, 4), np.uint8)), Part(np.zeros((3, 3, 4), np.uint8), 15, 2)]
    path.write_bytes(apng(parts, WIDTH, HEIGHT))
    with pytest.raises(ValueError, match="a frame of 3x3 at 15,2 leaves its 17x11"):
        take_animation(path, ReadOptions(FrameRequest(), OWN))


@pytest.mark.skipif(not features.check("avif"), reason="Pillow has no AVIF")
def test_avif(tmp_path):
    images = [Image.new("RGBA", (32, 24), (60 * n, 0, 0, 255 - 50 * n)) for n in range(4)]
    path = tmp_path / "x.avif"
    images[0].save(path, save_all=True, append_images=images[1:], duration=[100, 200, 300, 40], quality=100)
    images[1].convert("RGB").save(tmp_path / "still.avif", quality=100)
    assert is_animated(path) and not is_animated(tmp_path / "still.avif")
    found = take_animation(path, ReadOptions(FrameRequest(), OWN))
    assert found.probe.times == pytest.approx((0, 0.1, 0.3, 0.6)) and found.probe.end == pytest.approx(0.64)
    for number, (frame, alpha) in enumerate(zip(found.frames, found.alpha, strict=True)):
        assert float(frame[..., 0].mean()) * 255 == pytest.approx(60 * number, abs=3)
        assert float(alpha.mean()) * 255 == pytest.approx(255 - 50 * number, abs=3)
    assert len(take_animation(tmp_path / "still.avif", ReadOptions(FrameRequest(), OWN)).frames) == 1


@pytest.mark.skipif(
    "libdav1d" not in av.codec.codecs_available or not features.check("avif"), reason="no AVIF"
)
def test_avif_as_a_video_has_all_its_frames(tmp_path):
    from zoetrope.video_io.decode import decode_selection

    images = [Image.new("RGB", (32, 24), (60 * n, 0, 0)) for n in range(4)]
    images[0].save(tmp_path / "x.avif", save_all=True, append_images=images[1:], duration=100, quality=100)
    found = decode_selection(tmp_path / "x.avif")
    assert [round(float(frame[..., 0].mean()) * 255 / 60) for frame in found.frames] == [0, 1, 2, 3]


def test_the_frames_that_are_written_here_are_read_elsewhere():
    """The files of tests/animations.py are files:
    FFmpeg reads simple ones of each kind as the numpy oracle says.
    """
    parts = [Part(painted(np.random.default_rng(2), HEIGHT, WIDTH, 255)) for _ in range(3)]
    for content in (apng(parts, WIDTH, HEIGHT), gif(parts, WIDTH, HEIGHT)):
        with av.open(io.BytesIO(content)) as container:
            frames = [
                frame.reformat(format="rgb24", threads=1).to_ndarray() / 255
                for frame in container.decode(video=0)
            ]
        np.testing.assert_allclose(frames, np.stack(shown(parts, WIDTH, HEIGHT))[..., :3], atol=0.01)
