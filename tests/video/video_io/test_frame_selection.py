"""Videos whose size changes in the middle: one ratio becomes the size of the first, another is refused."""

import numpy as np
import pytest
from zoetrope.tests.odd_videos import cells, encode, images, read_cells
from zoetrope.video_io.decode import decode_selection
from zoetrope.video_io.frame_selection import ReadOptions
from zoetrope.video_io.frame_size import Size, SizeRequest, is_same_shape


def joined(path, *sizes):
    """Three frames of each (width, height), one behind the other."""
    content = b""
    for index, (width, height) in enumerate(sizes):
        part = path.with_name(f"{index}.h264")
        encode(part, "libx264", images(range(3 * index, 3 * index + 3), height, width))
        content += part.read_bytes()
    path.write_bytes(content)
    return path


def test_a_video_whose_size_changes_and_its_ratio_does_not(tmp_path):
    path = joined(tmp_path / "x.h264", (240, 136), (480, 272), (120, 68))
    found = decode_selection(path, ReadOptions(size=SizeRequest(multiple_of=16)))
    assert found.frames.shape == (9, 128, 240, 3)
    for number, frame in enumerate(found.frames):
        np.testing.assert_allclose(read_cells(frame.numpy()), cells(number), atol=0.06)


def test_a_video_whose_ratio_changes_needs_a_rule(tmp_path):
    path = joined(tmp_path / "x.h264", (240, 136), (240, 240))
    with pytest.raises(
        ValueError,
        match="frame 3 of 240x240 has another shape than those before, which become 240x136; set resize",
    ):
        decode_selection(path)
    assert decode_selection(path, ReadOptions(size=SizeRequest(resize="pad"))).frames.shape == (
        6,
        136,
        240,
        3,
    )


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ((320, 180), (640, 360), True),
        ((854, 480), (1280, 720), True),
        ((853, 480), (1920, 1080), True),
        ((854, 480), (853, 480), True),
        ((43, 24), (1920, 1080), True),
        ((320, 180), (180, 320), False),
        ((320, 180), (640, 368), False),
        ((46, 34), (48, 34), False),
        ((640, 480), (640, 478), False),
        ((1, 1), (2, 2), True),
        ((1, 1), (1, 3), False),
    ],
)
def test_one_shape_is_one_ratio_but_for_a_pixel(one, other, same):
    assert is_same_shape(Size(*one), Size(*other)) == is_same_shape(Size(*other), Size(*one)) == same
