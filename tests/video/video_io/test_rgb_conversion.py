"""Every pixel format comes out as the numbers say:
all levels, white and black, at every width, with its opacity.

The oracle is ITU-R BT.709 and BT.601 computed here with float64.
"""

import av
import numpy as np
import pytest
from zoetrope.video_io.decode import decode_selection
from zoetrope.video_io.frame_selection import ReadOptions
from zoetrope.video_io.frame_size import Size, SizeRequest
from zoetrope.video_io.rgb_conversion import RgbConverter

WIDTHS = [*range(2, 24), 31, 33, 34, 36, 50, 52, 66, 68, 100, 137]
KR_KB = {1: (0.2126, 0.0722), 6: (0.299, 0.114)}  # matrix of ITU-T H.273 -> red and blue part of the luma
DEEP_YUV = {
    "yuv420p9le": 9,
    "yuv420p10le": 10,
    "yuv422p10le": 10,
    "yuv440p10le": 10,
    "yuv444p10le": 10,
    "yuv420p12le": 12,
    "yuv444p12le": 12,
    "yuv422p14le": 14,
    "yuv444p16le": 16,
    "yuv420p10be": 10,
    "p010le": 10,
    "p210le": 10,
}
DEEP_ALPHA = {
    "yuva420p10le": 10,
    "yuva422p12le": 12,
    "yuva444p10le": 10,
    "yuva444p12le": 12,
    "yuva444p16le": 16,
    "yuva444p10be": 10,
}


def frame_of(layout, width, height, *planes, matrix=1, full=False):
    """A frame whose planes hold a number, or a row of numbers, in every row."""
    frame = av.VideoFrame(width, height, layout)
    frame.colorspace, frame.color_range = matrix, 2 if full else 1
    bits = max(component.bits for component in frame.format.components)
    kind = np.dtype(np.uint8 if bits == 8 else ">u2" if layout.endswith("be") else "<u2")
    shift = 16 - bits if layout.startswith(("p0", "p2", "p4")) else 0
    for plane, numbers in zip(frame.planes, planes, strict=True):
        rows = np.zeros((plane.height, plane.line_size // kind.itemsize), kind)
        rows[:, : len(numbers) if np.ndim(numbers) else None] = np.asarray(numbers) << shift
        plane.update(rows.tobytes())
    return frame


def rgb_by_hand(bits, y, u, v, matrix=1, full=False):
    """BT.709 or BT.601 in float64, cut to 0..1."""
    step = 2 ** (bits - 8)
    y, u, v = (y, u - 128 * step, v - 128 * step) if full else (y - 16 * step, u - 128 * step, v - 128 * step)
    top = (2**bits - 1, 2**bits - 1) if full else (219 * step, 224 * step)
    kr, kb = KR_KB[matrix]
    y, u, v = np.asarray(y) / top[0], u / top[1], v / top[1]
    red, blue = y + 2 * (1 - kr) * v, y + 2 * (1 - kb) * u
    return np.stack([red, (y - kr * red - kb * blue) / (1 - kr - kb), blue], -1).clip(0, 1)


def converted(frame, size=None, with_alpha=False):
    colours, opacity = RgbConverter().convert(frame, Size(*(size or (frame.width, frame.height))), with_alpha)
    rgb = (np.concatenate(colours.parts, -1) / colours.white).clip(0, 1)
    return rgb, None if opacity is None else opacity.parts[0][..., 0] / opacity.white


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("layout", DEEP_YUV)
def test_every_level_of_deep_video_comes_out(layout, full):
    bits = DEEP_YUV[layout]
    step = 2 ** (bits - 8)
    low, high = (0, 2**bits - 1) if full else (16 * step, 235 * step)
    levels = np.linspace(low, high, min(high - low + 1, 4096)).round().astype(int)
    chroma = [128 * step] * (1 if layout.startswith("p") else 2)
    frame = frame_of(layout, len(levels), 3, levels, *chroma, full=full)
    rgb, _ = converted(frame)
    assert rgb[1, 0].tolist() == [0, 0, 0] and rgb[1, -1].tolist() == pytest.approx([1, 1, 1], abs=2e-5)
    assert len(np.unique(rgb[1, :, 1])) == len(levels)
    middle = np.full(len(levels), 128.0 * step)
    np.testing.assert_allclose(rgb[1], rgb_by_hand(bits, levels, middle, middle, full=full), atol=1e-4)


@pytest.mark.parametrize("matrix", [1, 6])
@pytest.mark.parametrize("layout", ["yuv420p10le", "yuv444p12le", "yuv422p10le"])
def test_colours_of_deep_video(layout, matrix):
    bits = DEEP_YUV[layout]
    step = 2 ** (bits - 8)
    for full in (False, True):
        for y, u, v in ((81, 90, 240), (145, 54, 34), (41, 240, 110), (180, 128, 100), (60, 100, 160)):
            rgb, _ = converted(
                frame_of(layout, 34, 6, y * step, u * step, v * step, matrix=matrix, full=full)
            )
            wanted = rgb_by_hand(bits, y * step, u * step, v * step, matrix, full)
            np.testing.assert_allclose(rgb, np.broadcast_to(wanted, rgb.shape), atol=1e-3)


@pytest.mark.parametrize(
    ("layout", "bits"),
    [("gray10le", 10), ("gray12le", 12), ("gray16le", 16), ("gbrp10le", 10), ("gbrp12le", 12)],
)
def test_every_level_of_deep_grey_and_rgb(layout, bits):
    levels = np.linspace(0, 2**bits - 1, min(2**bits, 4096)).round().astype(int)
    planes = 3 if layout.startswith("gbr") else 1
    rgb, _ = converted(frame_of(layout, len(levels), 3, *[levels] * planes, full=True))
    np.testing.assert_allclose(rgb[1], np.repeat(levels[:, None], 3, 1) / (2**bits - 1), atol=2e-5)
    for size in ((len(levels) // 2, 3), (len(levels), 5)):
        scaled, _ = converted(frame_of(layout, len(levels), 3, *[2**bits - 1] * planes, full=True), size)
        np.testing.assert_allclose(scaled, 1, atol=1e-4)


@pytest.mark.parametrize(
    "layout",
    [
        "yuv420p",
        "yuv422p",
        "yuv444p",
        "yuv420p10le",
        "yuv422p10le",
        "yuv444p10le",
        "yuv444p12le",
        "yuva420p",
        "yuva422p",
        "yuva444p",
        *DEEP_ALPHA,
    ],
)
def test_every_column_of_one_colour_is_right(layout):
    """At every width and height, as it is and scaled, and so is its opacity."""
    bits = DEEP_YUV.get(layout) or DEEP_ALPHA.get(layout) or 8
    with_alpha, step = layout.startswith("yuva"), 2 ** (bits - 8)
    numbers = [120 * step, 100 * step, 170 * step, *([200 * step] if with_alpha else [])]
    wanted = rgb_by_hand(bits, *numbers[:3])
    room = 2.5 / 255 if bits == 8 else 1e-3
    for width in WIDTHS:
        for height in (2, 3, 16):
            frame = frame_of(layout, width, height, *numbers)
            for size in ((width, height), (width + 3, 2 * height), (2 * width + 2, height)):
                rgb, alpha = converted(frame, size, with_alpha)
                assert rgb.shape == (size[1], size[0], 3)
                np.testing.assert_allclose(
                    rgb, np.broadcast_to(wanted, rgb.shape), atol=room, err_msg=f"{width}x{height} to {size}"
                )
                if with_alpha:
                    np.testing.assert_allclose(
                        alpha, 200 * step / (2**bits - 1), atol=1e-4, err_msg=f"{width}x{height} to {size}"
                    )


@pytest.mark.parametrize("layout", ["rgba64le", "rgba64be", "gbrap16le", "ya16le", "gbrap10le"])
def test_opacity_that_is_packed_with_the_colours(layout):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 65536, (7, 37, 4), dtype=np.uint16)
    pixels[..., 1:3] = pixels[..., :1]  # grey, which every one of them can hold
    if layout == "ya16le":
        frame = av.VideoFrame(37, 7, layout)
        rows = np.zeros((7, frame.planes[0].line_size // 2), "<u2")
        rows[:, : 2 * 37] = pixels[..., [0, 3]].reshape(7, -1)
        frame.planes[0].update(rows.tobytes())
    else:
        frame = av.VideoFrame.from_ndarray(pixels, format="rgba64le").reformat(format=layout, threads=1)
    rgb, alpha = converted(frame, with_alpha=True)
    room = 1e-3 if "10" in layout else 1e-4
    np.testing.assert_allclose(rgb, pixels[..., :3] / 65535, atol=room)
    np.testing.assert_allclose(alpha, pixels[..., 3] / 65535, atol=room)


def test_a_picture_without_opacity_is_opaque():
    for layout, planes in (("yuv420p", 3), ("gray", 1), ("gbrp10le", 3)):
        _, alpha = converted(frame_of(layout, 18, 6, *[90] * planes), (7, 5), True)
        assert alpha.shape == (5, 7) and (alpha == 1).all()


def test_an_edge_of_opacity_stays_where_it_is():
    steps = np.repeat([0, 1023], 17)
    _, alpha = converted(frame_of("yuva444p10le", 34, 6, 500, 512, 512, steps), with_alpha=True)
    assert (alpha == steps / 1023).all()


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize(("layout", "full"), [
    ("yuv420p10le", False), ("yuv420p10le", True), ("yuv422p10le", False), ("yuv444p12le", False),
    ("gray10le", True),
])  # fmt: skip
def test_every_level_of_a_file_comes_into_the_frames(tmp_path, layout, full, scaled):
    """A ramp through FFV1, which loses nothing; as it is, and at twice its height."""
    bits = 12 if "12" in layout else 10
    step = 2 ** (bits - 8)
    levels = np.arange(0, 2**bits) if full else np.arange(16 * step, 235 * step + 1)
    levels = levels[: len(levels) // 2 * 2]
    frame = frame_of(
        layout, len(levels), 4, levels, *[128 * step] * (0 if layout.startswith("gray") else 2), full=full
    )
    frame.pts = 0
    with av.open(str(tmp_path / "x.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=8)
        stream.width, stream.height, stream.pix_fmt = len(levels), 4, layout
        stream.codec_context.color_range = frame.color_range
        container.mux(stream.encode(frame) + stream.encode(None))
    found = decode_selection(
        tmp_path / "x.mkv",
        ReadOptions(size=SizeRequest(width=len(levels), height=8 if scaled else 0, resize="stretch")),
    )
    row = found.frames[0, 2, :, 1].numpy()
    top, bottom = (2**bits - 1, 0) if full else (235 * step, 16 * step)
    assert len(np.unique(row)) == len(levels) and row.max() <= 1
    np.testing.assert_allclose(row, (levels - bottom) / (top - bottom), atol=2e-4)
