"""Frames on their way to an encoder: every pixel of every pixel format and width is what ITU-R BT.709 says.

The oracle is BT.709 computed here, and the ffmpeg command line reading a whole file.
"""

import shutil
import subprocess
from fractions import Fraction

import av
import numpy as np
import pytest
import torch
from zoetrope.video_io.encode import EncodeSettings
from zoetrope.video_io.formats import VIDEO_FORMATS
from zoetrope.video_io.frame_pixels import PixelPacker
from zoetrope.video_io.video_file import VideoFile

ORANGE, OPACITY = (0.8, 0.35, 0.15), 0.6
PIX_FMTS = sorted({name for entry in VIDEO_FORMATS.values() for name in entry.pix_fmts} - {"pal8"})


def yuv_by_hand(rgb, bits):
    """Y, U, V of limited range by BT.709, rounded."""
    red, green, blue = (np.asarray(rgb, np.float64)[..., index] for index in range(3))
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    step = 2 ** (bits - 8)
    planes = (16 + 219 * luma, 128 + 224 * (blue - luma) / 1.8556, 128 + 224 * (red - luma) / 1.5748)
    return [plane * step for plane in planes]


def planes_of(frame):
    """The planes of a frame as numbers: (H, W), or (H, W, C) where a pixel's are together."""
    layout = frame.format
    deep = max(component.bits for component in layout.components) > 8
    kind = np.dtype(">u2" if layout.name.endswith("be") else "<u2") if deep else np.dtype(np.uint8)
    numbers = []
    for index, plane in enumerate(frame.planes):
        rows = np.frombuffer(plane, kind).reshape(plane.height, -1)
        together = sum(component.plane == index for component in layout.components)
        together += layout.name == "bgr0"  # whose fourth byte is nothing
        rows = rows[:, : plane.width * together]
        numbers.append(
            (rows if together == 1 else rows.reshape(plane.height, plane.width, together)).astype(int)
        )
    return numbers


def wanted_planes(layout):
    """What one pixel of ORANGE and OPACITY is in each plane, and how far rounding may lead off."""
    bits = max(component.bits for component in av.VideoFormat(layout, 16, 16).components)
    top = 2**bits - 1
    red, green, blue = (number * top for number in ORANGE)
    if layout.startswith("yuv"):
        return [*yuv_by_hand(ORANGE, bits), OPACITY * top], 1.5 * 2 ** (bits - 8)
    if layout.startswith("gbr"):
        return [green, blue, red, OPACITY * top], 1
    return [
        {"bgr0": (blue, green, red), "bgra": (blue, green, red, OPACITY * top)}.get(
            layout, (red, green, blue, OPACITY * top)
        )
    ], 1


@pytest.mark.parametrize("layout", PIX_FMTS)
def test_every_pixel_of_one_colour_is_right_at_every_width(layout):
    wanted, room = wanted_planes(layout)
    for width in (*range(2, 40), 50, 66, 68, 82, 98, 100):
        for height in (2, 3, 17, 66):
            packer = PixelPacker(width, height, layout, Fraction(8))
            frame = torch.tensor(ORANGE).expand(height, width, 3)
            (packed,) = packer.pack(frame, torch.full((height, width), OPACITY))
            assert (packed.width, packed.height) == (packer.width, packer.height)
            for index, (plane, value) in enumerate(zip(planes_of(packed), wanted, strict=False)):
                value = np.asarray(value)[: plane.shape[2]] if plane.ndim == 3 else value
                used = plane[..., :3] if layout == "bgr0" else plane
                assert np.abs(used - value).max() <= (1 if index == 3 else room), f"{width}x{height}"


@pytest.mark.parametrize(("layout", "top"), [("yuva420p", 255), ("yuva444p10le", 1023), ("gbrap16le", 65535)])
def test_white_and_opaque_black_and_transparent_are_the_ends(layout, top):
    packer = PixelPacker(18, 6, layout, Fraction(8))
    for value in (0.0, 1.0):
        (packed,) = packer.pack(torch.full((6, 18, 3), value), torch.full((6, 18), value))
        first, *_, opacity = planes_of(packed)
        ends = (0, top) if layout.startswith("gbr") else (16 * (top + 1) // 256, 235 * (top + 1) // 256)
        assert (first == ends[int(value)]).all() and (opacity == top * value).all()


@pytest.mark.parametrize("layout", [name for name in PIX_FMTS if name.startswith("yuv")])
def test_a_large_frame_has_no_wrong_pixels(layout):
    """Threads of FFmpeg's scaler wrote into each other's rows by chance;
    in 60 frames it was seen every time.
    """
    (luma, _, _, _), room = wanted_planes(layout)
    packer = PixelPacker(1366, 258, layout, Fraction(8))
    frame, alpha = torch.tensor(ORANGE).expand(258, 1366, 3), torch.full((258, 1366), OPACITY)
    for _ in range(60):
        (packed,) = packer.pack(frame, alpha)
        assert np.abs(planes_of(packed)[0] - luma).max() <= room


@pytest.mark.parametrize("layout", ["yuv422p10le", "yuv444p10le", "yuv444p", "yuv420p12le"])
def test_a_ramp_is_the_ramp(layout):
    bits = max(component.bits for component in av.VideoFormat(layout, 16, 16).components)
    ramp = torch.linspace(0, 1, 102).view(1, 102, 1).expand(18, 102, 3)
    (packed,) = PixelPacker(102, 18, layout, Fraction(8)).pack(ramp)
    luma = planes_of(packed)[0]
    assert np.abs(luma - yuv_by_hand(ramp.numpy(), bits)[0]).max() <= 1.5 * 2 ** (bits - 8)
    assert (luma == luma[0]).all() and (luma[0, 0], luma[0, -1]) == (
        16 * 2 ** (bits - 8),
        235 * 2 ** (bits - 8),
    )


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="compares with ffmpeg where it is installed")
def test_ffmpeg_finds_one_colour_in_the_whole_file(tmp_path):
    with VideoFile(tmp_path, "orange", EncodeSettings("FFV1 (mkv)", 8, pix_fmt="gbrp16le")) as file:
        for _ in range(5):
            file.write(torch.tensor(ORANGE).expand(258, 1366, 3).contiguous())
    command = ["ffmpeg", "-v", "error", "-i", str(file.path), "-f", "rawvideo", "-pix_fmt", "rgb48le", "-"]
    raw = subprocess.run(command, capture_output=True, check=True).stdout
    pixels = np.frombuffer(raw, "<u2").reshape(5, 258, 1366, 3)
    assert np.abs(pixels - np.array(ORANGE) * 65535).max() <= 1
