"""Folders of pictures and animated pictures: order, sizes, durations, opacity, damage."""

import numpy as np
import pytest
import torch
from PIL import Image
from zoetrope.tests.odd_videos import ALPHA, CELL, cells, images, paint, read_cells, with_alpha
from zoetrope.video_io.frame_plan import FrameRequest
from zoetrope.video_io.frame_selection import ReadOptions
from zoetrope.video_io.frame_size import SizeRequest
from zoetrope.video_io.image_files import images_in, is_animated, natural_order, take_animation, take_images

OWN = SizeRequest()
DURATIONS = [100, 200, 300, 100, 100, 100, 100]


def image(picture):
    return Image.fromarray((picture * 255).round().astype(np.uint8))


def folder_of(tmp_path, numbers, suffix="png", **settings):
    for number in numbers:
        image(paint(cells(number))).save(tmp_path / f"Frame{number}.{suffix}", **settings)
    return images_in(tmp_path)


def numbers_of(found, room=0.03):
    """The numbers drawn into the frames, checked with all the other cells."""
    grids = [read_cells(frame.numpy()) for frame in found.frames]
    numbers = [sum(1 << bit for bit in range(6) if grid[1, bit].mean() > 0.5) for grid in grids]
    for grid, number in zip(grids, numbers, strict=True):
        np.testing.assert_allclose(grid, cells(number), atol=room)
    return numbers


def test_natural_order():
    names = ["b2.png", "B10.png", "a.png", "b1.png", "10.png", "9.png"]
    assert sorted(names, key=natural_order) == ["9.png", "10.png", "a.png", "b1.png", "b2.png", "B10.png"]


def test_a_folder_in_natural_order_without_what_is_no_picture(tmp_path):
    (tmp_path / "._Frame1.png").write_bytes(b"what a Mac leaves")
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "Frame3.png").mkdir()
    files = folder_of(tmp_path, [2, 10, 9, 1])
    found = take_images(files, 8.0, ReadOptions(FrameRequest(), OWN))
    assert numbers_of(found) == [1, 2, 9, 10] and found.fps == 8 and found.alpha is None


def test_the_options_are_those_of_videos(tmp_path):
    files, told = folder_of(tmp_path, range(9), "jpg", quality=95, subsampling=0), []
    request = FrameRequest(start_seconds=0.25, skip_first_frames=1, select_every_nth=2, frame_cap=3)
    found = take_images(
        files,
        8.0,
        ReadOptions(
            request, SizeRequest(48, 0, "keep ratio", 8), progress=lambda done, of: told.append((done, of))
        ),
    )
    assert numbers_of(found) == [3, 5, 7] and found.fps == 4 and found.frames.shape == (3, 32, 48, 3)
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert numbers_of(take_images(files, 8.0, ReadOptions(FrameRequest(force_rate=4.0), OWN))) == [
        0,
        2,
        4,
        6,
        8,
    ]


def test_pictures_of_other_shapes_need_a_rule(tmp_path):
    folder_of(tmp_path, [1, 2])
    image(paint(cells(3), 128, 192)).save(tmp_path / "Frame3.png")
    assert numbers_of(take_images(images_in(tmp_path), 8.0, ReadOptions(FrameRequest(), OWN))) == [1, 2, 3]
    image(np.full((100, 50, 3), 0.5)).save(tmp_path / "Frame4.png")
    files = images_in(tmp_path)
    with pytest.raises(
        ValueError, match="frame 3 of 50x100 has another shape .* 96x64; set resize to crop, pad or stretch"
    ):
        take_images(files, 8.0, ReadOptions(FrameRequest(), OWN))
    padded = take_images(files, 8.0, ReadOptions(FrameRequest(), SizeRequest(0, 0, "pad", 1))).frames[3]
    assert (
        padded.shape == (64, 96, 3)
        and float(padded[:, :30].max()) == 0
        and float(padded[:, 34:62].min()) > 0.49
    )
    assert (
        float(
            take_images(files, 8.0, ReadOptions(FrameRequest(), SizeRequest(0, 0, "crop", 1))).frames[3].min()
        )
        > 0.49
    )


@pytest.mark.parametrize(
    ("first", "others", "multiple", "out"),
    [
        ((320, 180), [(640, 360), (1280, 720)], 8, (320, 176)),
        ((854, 480), [(1280, 720), (853, 480), (1920, 1080)], 8, (856, 480)),
        ((1280, 720), [(854, 480), (853, 480), (320, 180)], 64, (1280, 704)),
        ((124, 68), [(62, 34), (248, 136)], 16, (128, 64)),
    ],
)
def test_pictures_of_one_ratio_become_the_size_of_the_first(tmp_path, first, others, multiple, out):
    """One ratio but for rounding; turned ones are seen as they are shown."""
    exif = Image.Exif()
    exif[0x0112] = 6
    sizes = [first, *others, others[0]]
    for number, size in enumerate(sizes):
        picture = paint(cells(number), *size[::-1])
        if number == len(others) + 1:
            image(np.rot90(picture)).save(tmp_path / f"Frame{number}.png", exif=exif)
        else:
            image(picture).save(tmp_path / f"Frame{number}.png")
    found = take_images(
        images_in(tmp_path), 8.0, ReadOptions(FrameRequest(), SizeRequest(0, 0, "keep ratio", multiple))
    )
    assert found.frames.shape == (len(sizes), out[1], out[0], 3) and numbers_of(found, 0.07) == list(
        range(len(sizes))
    )
    found = take_images(
        images_in(tmp_path), 8.0, ReadOptions(FrameRequest(), SizeRequest(*out, "keep ratio", multiple))
    )
    assert numbers_of(found, 0.07) == list(range(len(sizes)))


@pytest.mark.parametrize("other", [(640, 368), (360, 640), (322, 180), (300, 180)])
def test_pictures_of_another_ratio_are_still_refused(tmp_path, other):
    for number, size in enumerate(((320, 180), other)):
        image(paint(cells(number), *size[::-1])).save(tmp_path / f"Frame{number}.png")
    with pytest.raises(ValueError, match=f"frame 1 of {other[0]}x{other[1]} has another shape"):
        take_images(images_in(tmp_path), 8.0, ReadOptions(FrameRequest(), SizeRequest(0, 0, "keep ratio", 1)))


def test_opacity_of_one_picture_is_enough(tmp_path):
    files = folder_of(tmp_path, [1, 2])
    image(with_alpha()[0]).save(files[1])
    found = take_images(files, 8.0, ReadOptions(FrameRequest(), OWN))
    assert float(found.alpha[0].min()) == 1
    np.testing.assert_allclose(read_cells(found.alpha[1].numpy()), ALPHA, atol=0.01)


def test_modes_and_orientations(tmp_path):
    grey = Image.fromarray((np.linspace(0, 65535, 96)[None].repeat(64, 0)).astype(np.uint16))
    grey.save(tmp_path / "16 bits.png")
    deep = take_images(images_in(tmp_path), 8.0, ReadOptions(FrameRequest(), OWN)).frames[0]
    torch.testing.assert_close(deep[0, :, 0], torch.linspace(0, 1, 96), atol=0.005, rtol=0)
    (tmp_path / "16 bits.png").unlink()
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by 90 degrees
    image(paint(cells(5))).convert("CMYK").convert("RGB").save(tmp_path / "turned.png", exif=exif)
    frame = take_images(images_in(tmp_path), 8.0, ReadOptions(FrameRequest(), OWN)).frames[0].numpy()
    np.testing.assert_allclose(read_cells(frame, 6, 4), np.rot90(cells(5), 3), atol=0.01)


@pytest.mark.parametrize(
    ("suffix", "settings", "tolerance"),
    [
        ("webp", {"lossless": True}, 0.01),
        ("gif", {}, 0.03),
        ("png", {}, 0.01),
        ("apng", {"format": "PNG"}, 0.01),
    ],
)
def test_animations_are_shown_as_long_as_they_say(tmp_path, suffix, settings, tolerance):
    first, *others = [image(picture) for picture in images()]
    path = tmp_path / f"x.{suffix}"
    first.save(path, save_all=True, append_images=others, duration=DURATIONS, loop=0, **settings)
    assert is_animated(path)
    found = take_animation(path, ReadOptions(FrameRequest(), OWN))
    assert numbers_of(found) == list(range(7)) and found.fps == pytest.approx(7)
    assert found.probe.times == pytest.approx(
        (0, 0.1, 0.3, 0.6, 0.7, 0.8, 0.9)
    ) and found.probe.end == pytest.approx(1)
    assert numbers_of(take_animation(path, ReadOptions(FrameRequest(force_rate=10.0, frame_cap=7), OWN))) == [
        0,
        1,
        1,
        2,
        2,
        2,
        3,
    ]
    assert numbers_of(
        take_animation(path, ReadOptions(FrameRequest(skip_first_frames=4, frame_cap=2), OWN))
    ) == [4, 5]


@pytest.mark.parametrize(
    ("name", "settings", "durations", "fps"),
    [
        ("x.gif", {}, [30, 30, 40] * 4, 30),
        ("x.webp", {"lossless": True}, [42, 41, 42] * 4, 24),
        ("x.png", {}, [137] * 12, 1000 / 137),
    ],
)
def test_durations_that_are_rounded_are_a_constant_rate(tmp_path, name, settings, durations, fps):
    first, *others = [image(paint(cells(n))) for n in range(12)]
    first.save(tmp_path / name, save_all=True, append_images=others, duration=durations, **settings)
    for request, of in ({}, 1), ({"frame_cap": 4}, 1), ({"select_every_nth": 2}, 2):
        found = take_animation(tmp_path / name, ReadOptions(FrameRequest(**request), OWN))
        assert found.fps == pytest.approx(fps / of, abs=1e-6) and not found.plan.varies
    assert found.probe.fps == pytest.approx(fps, abs=1e-6)
    even = take_animation(tmp_path / name, ReadOptions(FrameRequest(force_rate=fps / 2), OWN))
    assert even.numbers == [0, 2, 4, 6, 8, 10]


def test_frames_of_unequal_durations_keep_theirs_whatever_is_taken(tmp_path):
    first, *others = [image(paint(cells(n))) for n in range(7)]
    first.save(tmp_path / "x.webp", save_all=True, append_images=others, duration=DURATIONS, lossless=True)
    part = take_animation(
        tmp_path / "x.webp", ReadOptions(FrameRequest(skip_first_frames=1, frame_cap=2), OWN)
    )
    assert part.plan.varies and part.fps == pytest.approx(2 / 0.5)
    assert take_animation(
        tmp_path / "x.webp", ReadOptions(FrameRequest(frame_cap=1, skip_first_frames=2), OWN)
    ).fps == pytest.approx(1 / 0.3)


def test_opacity_of_animations(tmp_path):
    first, *others = [image(picture) for picture in with_alpha()]
    for name, settings in {"x.webp": {"lossless": True, "exact": True}, "x.png": {}}.items():
        first.save(tmp_path / name, save_all=True, append_images=others, duration=100, **settings)
        found = take_animation(tmp_path / name, ReadOptions(FrameRequest(), OWN))
        assert numbers_of(found) == list(range(7))
        np.testing.assert_allclose(read_cells(found.alpha[6].numpy()), ALPHA, atol=0.01)
    cut_out = np.repeat((np.arange(6) < 3).astype(float)[None], 4, 0)
    first, *others = [image(picture) for picture in with_alpha(cut_out)]
    first.save(tmp_path / "x.gif", save_all=True, append_images=others, duration=100, disposal=2)
    found = take_animation(tmp_path / "x.gif", ReadOptions(FrameRequest(), OWN))
    np.testing.assert_allclose(read_cells(found.alpha[3].numpy()), cut_out, atol=0.01)


def test_frames_too_short_to_be_seen_are_shown_as_browsers_do(tmp_path):
    first, *others = [image(picture) for picture in images()]
    first.save(tmp_path / "x.gif", save_all=True, append_images=others, duration=10)
    assert take_animation(tmp_path / "x.gif", ReadOptions(FrameRequest(), OWN)).fps == pytest.approx(10)


def test_a_still_picture_is_one_frame(tmp_path):
    image(paint(cells(9))).save(tmp_path / "x.png")
    assert not is_animated(tmp_path / "x.png")
    assert numbers_of(take_animation(tmp_path / "x.png", ReadOptions(FrameRequest(), OWN))) == [9]


def test_what_is_damaged_is_named(tmp_path):
    files = folder_of(tmp_path, range(3))
    whole = files[1].read_bytes()
    files[1].write_bytes(whole[: len(whole) // 2])
    with pytest.raises(
        ValueError,
        match=r"'Frame1.png' cannot be decoded \(.*truncated.*\); the file is damaged: remove or repair it",
    ):
        take_images(files, 8.0, ReadOptions(FrameRequest(), OWN))
    assert numbers_of(take_images(files, 8.0, ReadOptions(FrameRequest(select_every_nth=2), OWN))) == [0, 2]
    files[1].write_text("no picture")
    with pytest.raises(
        ValueError,
        match="'Frame1.png' cannot be read as a picture: it is damaged or something else; remove it",
    ):
        take_images(files, 8.0, ReadOptions(FrameRequest(), OWN))
    first, *others = [image(picture) for picture in images()]
    first.save(tmp_path / "x.webp", save_all=True, append_images=others, duration=100, lossless=True)
    whole = (tmp_path / "x.webp").read_bytes()
    (tmp_path / "x.webp").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="'x.webp' cannot be"):
        take_animation(tmp_path / "x.webp", ReadOptions(FrameRequest(), OWN))


def test_requests_and_memory_are_checked(tmp_path):
    files = folder_of(tmp_path, range(3))
    with pytest.raises(ValueError, match="no frames are left: the video has 3 frames"):
        take_images(files, 8.0, ReadOptions(FrameRequest(start_seconds=9.0), OWN))
    with pytest.raises(ValueError, match="3 frames of 96x64 need .* take fewer frames"):
        take_images(
            files, 8.0, ReadOptions(FrameRequest(), OWN, free_memory=lambda: 3 * CELL**2 * 24 * 12 - 1)
        )
    with pytest.raises(ValueError, match="folder_fps=0 must be larger than 0"):
        take_images(files, 0, ReadOptions(FrameRequest(), OWN))
    for file in files:
        file.unlink()
    with pytest.raises(ValueError, match=f"the folder '{tmp_path.name}' has no pictures"):
        images_in(tmp_path)


def test_reading_can_be_stopped(tmp_path):
    class Cancelled(BaseException):
        pass

    def stop():
        raise Cancelled

    first, *others = [image(picture) for picture in images()]
    first.save(tmp_path / "x.webp", save_all=True, append_images=others, duration=100)
    with pytest.raises(Cancelled):
        take_animation(tmp_path / "x.webp", ReadOptions(FrameRequest(), OWN, stop=stop))
    with pytest.raises(Cancelled):
        take_images(folder_of(tmp_path, range(2)), 8.0, ReadOptions(FrameRequest(), OWN, stop=stop))
