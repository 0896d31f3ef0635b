"""Sizes of decoded frames: ratio kept, cropped, padded, stretched, square pixels, multiples."""

import pytest
from zoetrope.video_io.frame_size import FrameFit, Size, SizeRequest, fit_size


@pytest.mark.parametrize(("arguments", "out", "scaled", "offset"), [
    ((64, 48, 1.0, 0, 0, "keep ratio", 1), (64, 48), (64, 48), (0, 0)),
    ((64, 48, 1.0, 32, 0, "keep ratio", 1), (32, 24), (32, 24), (0, 0)),
    ((64, 48, 1.0, 0, 24, "keep ratio", 8), (32, 24), (32, 24), (0, 0)),
    ((64, 48, 1.0, 32, 32, "keep ratio", 1), (32, 24), (32, 24), (0, 0)),
    ((64, 48, 1.0, 32, 32, "stretch", 1), (32, 32), (32, 32), (0, 0)),
    ((64, 48, 1.0, 32, 32, "crop", 1), (32, 32), (43, 32), (-6, 0)),
    ((64, 48, 1.0, 32, 32, "pad", 1), (32, 32), (32, 24), (0, 4)),
    ((48, 64, 1.0, 32, 32, "pad", 1), (32, 32), (24, 32), (4, 0)),
    ((101, 77, 1.0, 0, 0, "keep ratio", 8), (104, 80), (104, 80), (0, 0)),
    ((720, 576, 64 / 45, 0, 0, "keep ratio", 8), (1024, 576), (1024, 576), (0, 0)),
    ((3, 3, 1.0, 0, 0, "keep ratio", 8), (8, 8), (8, 8), (0, 0)),
])  # fmt: skip
def test_sizes(arguments, out, scaled, offset):
    width, height, aspect, *wanted = arguments
    fit = fit_size(Size(width, height), aspect, SizeRequest(*wanted))
    assert fit == FrameFit(Size(*out), Size(*scaled), offset)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((-1, 0, "crop", 8), "width=-1"),
        ((0, 0, "zoom", 8), "resize='zoom' is unknown"),
        ((0, 0, "crop", 0), "multiple_of=0"),
    ],
)
def test_bad_sizes_are_refused(arguments, told):
    with pytest.raises(ValueError, match=told):
        SizeRequest(*arguments)
