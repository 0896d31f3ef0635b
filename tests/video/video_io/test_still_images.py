"""Pictures of every kind of pixels give their values, or are refused with a sentence;
none is black in silence.

TIFF files are written here byte by byte, so that what is right is what was written.
"""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin
from zoetrope.tests.video.video_io.test_animated_images import OWN
from zoetrope.video_io import still_images
from zoetrope.video_io.decode import decode_selection
from zoetrope.video_io.frame_plan import FrameRequest
from zoetrope.video_io.frame_selection import ReadOptions
from zoetrope.video_io.frame_size import SizeRequest
from zoetrope.video_io.image_files import take_animation, take_images

WIDTH, HEIGHT = 19, 7
RAMP = np.linspace(0, 1, WIDTH)[None].repeat(HEIGHT, 0)
SIGNED, FLOAT = 2, 3
WHITE_IS_ZERO, GREY, RGB, CMYK, YCBCR, LAB = 0, 1, 2, 5, 6, 8


def tiff(pixels, bits, photometric, kind=1, extra=None, pages=1):
    """A TIFF of one strip a page;
    pixels (H, W) or (H, W, C) of the type that is written, or rows of bytes of `WIDTH` pixels.
    """
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    content, place = struct.pack("<2sHI", b"II", 42, 8), 4
    for _ in range(pages):
        entries = {
            256: [WIDTH],
            257: [pixels.shape[0]],
            258: [bits] * channels,
            259: [1],
            262: [photometric],
            273: [0],
            277: [channels],
            278: [pixels.shape[0]],
            279: [pixels.nbytes],
            339: [kind] * channels,
        }
        entries |= {338: [extra]} if extra is not None else {}
        start = len(content)
        content = content[:place] + struct.pack("<I", start) + content[place + 4 :]
        behind = start + 2 + 12 * len(entries) + 4
        lists = b"".join(struct.pack(f"<{len(v)}H", *v) for v in entries.values() if len(v) > 2)
        entries[273] = [behind + len(lists)]
        head, offset = struct.pack("<H", len(entries)), behind
        for tag, values in sorted(entries.items()):
            short = tag in (258, 338, 339, 259, 262, 277)
            packed = struct.pack(f"<{len(values)}{'H' if short else 'I'}", *values)
            if len(packed) > 4:
                packed, offset = struct.pack("<I", offset), offset + len(packed)
            head += struct.pack("<2HI", tag, 3 if short else 4, len(values)) + packed.ljust(4, b"\0")
        place = len(content) + len(head)
        content += head + b"\0\0\0\0" + lists + pixels.tobytes()
    return content


def read(path, content=None, **options):
    if content is not None:
        path.write_bytes(content)
    found = take_images([path], 8.0, ReadOptions(FrameRequest(), OWN, **options))
    return found.frames[0].numpy(), None if found.alpha is None else found.alpha[0].numpy()


def levels(top, kind):
    return np.rint(RAMP * top).astype(kind)


@pytest.mark.parametrize(
    ("content", "room"),
    [
        (tiff(RAMP.astype("<f4"), 32, GREY, FLOAT), 1e-5),
        (tiff((1 - RAMP).astype("<f4"), 32, WHITE_IS_ZERO, FLOAT), 1e-5),
        (tiff(levels(65535, "<u2"), 16, GREY), 1e-5),
        (tiff(65535 - levels(65535, "<u2"), 16, WHITE_IS_ZERO), 1e-5),
        (tiff(levels(255, "u1"), 8, GREY), 0.002),
        (tiff(255 - levels(255, "u1"), 8, WHITE_IS_ZERO), 0.002),
        (tiff(np.dstack([levels(65535, "<u2")] * 3), 16, RGB), 1e-5),
        (tiff(np.dstack([levels(255, "u1")] * 3), 8, RGB), 0.002),
        (tiff(np.dstack([255 - levels(255, "u1")] * 3 + [levels(0, "u1")]), 8, CMYK), 0.002),
        (tiff(np.dstack([levels(0, "<u2")] * 3 + [65535 - levels(65535, "<u2")]), 16, CMYK), 0.005),
        (
            tiff(
                np.dstack([levels(255, "u1"), levels(0, "u1") + 128, levels(0, "u1") + 128]).astype("u1"),
                8,
                YCBCR,
            ),
            0.005,
        ),
    ],
)
def test_a_tiff_of_any_kind_has_its_values(tmp_path, content, room):
    frame, alpha = read(tmp_path / "x.tif", content)
    assert alpha is None
    np.testing.assert_allclose(frame, np.repeat(RAMP[..., None], 3, 2), atol=room)


def test_a_tiff_of_12_bits(tmp_path):
    numbers = levels(4095, int)
    bits = "".join(
        "".join(f"{number:012b}" for number in row).ljust(-(-12 * WIDTH // 8) * 8, "0") for row in numbers
    )
    rows = np.frombuffer(int(bits, 2).to_bytes(len(bits) // 8, "big"), np.uint8).reshape(HEIGHT, -1)
    frame, _ = read(tmp_path / "x.tif", tiff(rows, 12, GREY))
    np.testing.assert_allclose(frame[..., 0], RAMP, atol=2e-4)


def test_opacity_of_a_tiff(tmp_path):
    colours = [np.rint(RAMP[..., None] * top * np.ones(3)) for top in (65535, 255)]
    alphas = [np.rint((1 - RAMP / 2)[..., None] * top) for top in (65535, 255)]
    for colour, alpha, kind, bits in zip(colours, alphas, ("<u2", "u1"), (16, 8), strict=True):
        frame, opacity = read(
            tmp_path / "x.tif", tiff(np.dstack([colour, alpha]).astype(kind), bits, RGB, extra=2)
        )
        np.testing.assert_allclose(frame[..., 1], RAMP, atol=1e-5 if bits == 16 else 0.002)
        np.testing.assert_allclose(opacity, 1 - RAMP / 2, atol=1e-5 if bits == 16 else 0.002)
        together = np.dstack(
            [np.rint(colour * alpha / alphas[0].max() if bits == 16 else colour * alpha / 255), alpha]
        )
        frame, opacity = read(
            tmp_path / "x.tif", tiff(together.astype(kind), bits, RGB, extra=1)
        )  # multiplied with it
        np.testing.assert_allclose(frame[..., 1], RAMP, atol=0.01)
        np.testing.assert_allclose(opacity, 1 - RAMP / 2, atol=0.005)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            tiff(levels(2**32 - 1, "<u4"), 32, GREY),
            "unsigned integers of 32 bits, of which no value is white by agreement",
        ),
        (tiff(levels(2**31 - 1, "<i4"), 32, GREY, SIGNED), "signed integers of 32 bits"),
        (tiff(levels(32767, "<i2"), 16, GREY, SIGNED), "signed integers of 16 bits"),
        (tiff(levels(127, "i1"), 8, GREY, SIGNED), "signed integers of 8 bits"),
        (
            tiff((RAMP * 255).astype("<f4"), 32, GREY, FLOAT),
            "floats from 0 to 255, and 0 .black. to 1 .white. are read",
        ),
        (tiff((RAMP - 0.5).astype("<f4"), 32, GREY, FLOAT), "floats from -0.5 to 0.5"),
        (tiff(np.where(RAMP > 0.9, np.nan, RAMP).astype("<f4"), 32, GREY, FLOAT), "floats from nan to nan"),
        (tiff(RAMP.astype("<f2"), 16, GREY, FLOAT), "a TIFF of a kind that is not read"),
        (tiff(RAMP.astype("<f8"), 64, GREY, FLOAT), "a TIFF of a kind that is not read"),
        (tiff(np.dstack([RAMP] * 3).astype("<f4"), 32, RGB, FLOAT), "a TIFF of a kind that is not read"),
        (tiff(np.dstack([levels(65535, "<u2")] * 3), 16, LAB), "a TIFF of a kind that is not read"),
    ],
)
def test_numbers_without_an_agreed_white_are_refused(tmp_path, content, message):
    with pytest.raises(ValueError, match=f"'x.tif' .*{message}.*save it") as refused:
        read(tmp_path / "x.tif", content)
    assert str(tmp_path) not in str(refused.value)


def srgb_of_lab(light, a, b):
    """CIELAB of D50 as sRGB, 0..1: CIE 15, and the matrix of Bradford's adaptation to D65 (Lindbloom)."""
    y = (light + 16) / 116
    xyz = [
        t**3 if t > 6 / 29 else 3 * (6 / 29) ** 2 * (t - 4 / 29) for t in (y + a / 500, y, y - b / 200)
    ] * np.array((0.96422, 1, 0.82521))
    to_rgb = (
        (3.1338561, -1.6168667, -0.4906146),
        (-0.9787684, 1.9161415, 0.0334540),
        (0.0719453, -0.2289914, 1.4052427),
    )
    linear = (np.array(to_rgb) @ xyz).clip(0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize(
    "lab", [(50, 0, 0), (20, 10, -30), (70, -30, 30), (60, 40, 20), (90, 0, 10), (0, 0, 0), (100, 0, 0)]
)
def test_lab_is_the_colour_that_it_names(tmp_path, lab):
    stored = np.array([round(lab[0] * 2.55), lab[1] % 256, lab[2] % 256], np.uint8)
    frame, _ = read(
        tmp_path / "x.tif", tiff(np.ascontiguousarray(np.broadcast_to(stored, (HEIGHT, WIDTH, 3))), 8, LAB)
    )
    np.testing.assert_allclose(frame, np.broadcast_to(srgb_of_lab(*lab), frame.shape), atol=3 / 255)


def test_of_a_tiff_with_pages_the_first_is_a_frame(tmp_path):
    frame, _ = read(tmp_path / "x.tif", tiff(levels(65535, "<u2"), 16, GREY, pages=3))
    np.testing.assert_allclose(frame[..., 0], RAMP, atol=1e-5)


def png(pixels, colour_type, orientation=None, more=b""):
    """A PNG of 16 bits; colour_type 0 grey, 2 RGB, 4 grey and opacity, 6 RGB and opacity."""

    def chunk(name, content):
        return (
            struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        )

    exif = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01" + struct.pack(">2HI", orientation or 1, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = struct.pack(">2I5B", pixels.shape[1], pixels.shape[0], 16, colour_type, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + (chunk(b"eXIf", exif) if orientation else b"")
        + more
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(("colour_type", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_a_png_of_16_bits_keeps_them(tmp_path, colour_type, channels):
    pixels = np.random.default_rng(0).integers(0, 65536, (HEIGHT, WIDTH, channels))
    frame, alpha = read(tmp_path / "x.png", png(pixels, colour_type))
    wanted = pixels[..., :3] if channels > 2 else np.repeat(pixels[..., :1], 3, 2)
    np.testing.assert_allclose(frame, wanted / 65535, atol=1e-6)
    assert (alpha is None) == (channels in (1, 3))
    if alpha is not None:
        np.testing.assert_allclose(alpha, pixels[..., -1] / 65535, atol=1e-6)
    still = take_animation(tmp_path / "x.png", ReadOptions(FrameRequest(), OWN))
    np.testing.assert_allclose(still.frames[0].numpy(), wanted / 65535, atol=1e-6)


TURNS = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: np.rot90(a, 2),
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, 3),
    7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
    8: lambda a: np.rot90(a),
}
"""EXIF's orientation -> how the stored picture is shown (CIPA DC-008, 4.6.4)."""


@pytest.mark.parametrize("orientation", TURNS)
def test_pictures_are_turned_as_their_exif_says(tmp_path, orientation):
    pixels = np.random.default_rng(0).integers(0, 65536, (HEIGHT, WIDTH, 3))
    frame, _ = read(tmp_path / "x.png", png(pixels, 2, orientation))
    np.testing.assert_allclose(frame, TURNS[orientation](pixels) / 65535, atol=1e-6)
    exif = Image.Exif()
    exif[0x0112] = orientation
    for name, settings in {"x.png": {}, "x.webp": {"lossless": True}, "x.tif": {}}.items():
        Image.fromarray((pixels >> 8).astype(np.uint8)).save(tmp_path / name, exif=exif, **settings)
        np.testing.assert_allclose(
            read(tmp_path / name)[0], TURNS[orientation](pixels >> 8) / 255, atol=1e-6, err_msg=name
        )


def test_marks_of_gamma_and_profiles_change_nothing(tmp_path):
    """As in ComfyUI's Load Image."""
    pixels = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    for number, settings in enumerate(
        ({"icc_profile": ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()}, {})
    ):
        info = PngImagePlugin.PngInfo()
        info.add(b"gAMA", struct.pack(">I", 100000))
        Image.fromarray(pixels).save(tmp_path / f"{number}.png", pnginfo=info, **settings)
        np.testing.assert_allclose(read(tmp_path / f"{number}.png")[0], pixels / 255, atol=1e-6)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA"])
def test_modes_of_8_bits_are_what_pillow_shows(tmp_path, mode):
    pixels = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 4), dtype=np.uint8)
    image = Image.fromarray(pixels).convert("RGB" if mode in ("1", "L", "P", "RGB") else "RGBA")
    image = image.convert("P").convert("PA") if mode == "PA" else image.convert(mode)
    name = tmp_path / ("x.tif" if mode == "PA" else "x.png")
    image.save(name)
    frame, alpha = read(name)
    np.testing.assert_allclose(frame, np.asarray(Image.open(name).convert("RGBA"))[..., :3] / 255, atol=1e-6)
    assert (alpha is None) == (mode not in ("LA", "PA", "RGBA"))


# --- memory


def header_of(suffix, side):
    """The first bytes of a file that claims side x side pixels and holds none."""
    png_header = struct.pack(">I4s2I5B", 13, b"IHDR", side, side, 8, 2, 0, 0, 0)
    png_start = b"\x89PNG\r\n\x1a\n" + png_header + struct.pack(">I", zlib.crc32(png_header[4:]))
    idat = struct.pack(">I4s2BI", 2, b"IDAT", 120, 156, zlib.crc32(b"IDAT\x78\x9c"))
    frame = struct.pack("<4HB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\0"
    return {
        "png": png_start + idat,
        "gif": (
            b"GIF89a"
            + struct.pack("<2H3B", side, side, 0x80, 0, 0)
            + b"\0\0\0\xff\xff\xff\x2c"
            + frame
            + b";"
        ),
        "bmp": (
            struct.pack("<2sI4xI", b"BM", 54, 54)
            + struct.pack("<I2i2H6I", 40, side, side, 1, 24, 0, 0, 0, 0, 0, 0)
        ),
        "tif": (
            tiff(np.zeros((1, 1), np.uint8), 8, GREY)
            .replace(struct.pack("<HHII", 256, 4, 1, WIDTH), struct.pack("<HHII", 256, 4, 1, side))
            .replace(struct.pack("<HHII", 257, 4, 1, 1), struct.pack("<HHII", 257, 4, 1, side))
        ),
    }[suffix]


@pytest.mark.parametrize("suffix", ["png", "gif", "bmp", "tif"])
def test_memory_for_decoding_is_asked_before_it_is_taken(tmp_path, suffix):
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(header_of(suffix, 13000))
    message = (
        f"the 13000x13000 pixels of 'x.{suffix}', while they are decoded, need .* and 0.25 GiB are free;"
        " make it"
    )
    with pytest.raises(ValueError, match=message):
        take_images(
            [path],
            8.0,
            ReadOptions(FrameRequest(), SizeRequest(64, 64, "keep ratio", 8), free_memory=lambda: 2**28),
        )
    if suffix in ("png", "gif"):
        with pytest.raises(ValueError, match=message):
            take_animation(
                path,
                ReadOptions(FrameRequest(), SizeRequest(64, 64, "keep ratio", 8), free_memory=lambda: 2**28),
            )


def test_memory_for_decoding_a_video_is_asked_before_it_is_taken(tmp_path):
    path = tmp_path / "x.gif"
    path.write_bytes(header_of("gif", 13000))
    with pytest.raises(
        ValueError, match="the 13000x13000 pixels of the video, while they are decoded, need .* are free"
    ):
        decode_selection(path, ReadOptions(size=SizeRequest(width=64, height=64), free_memory=lambda: 2**28))


def test_a_claim_beyond_all_pictures_is_refused(tmp_path):
    path = tmp_path / "x.png"
    path.write_bytes(header_of("png", 40000))
    with pytest.raises(ValueError, match="'x.png' claims to be too large to be a picture"):
        take_images([path], 8.0, ReadOptions(FrameRequest(), OWN))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "1", "L"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_large_pictures_are_made_smaller_while_they_are_converted(tmp_path, monkeypatch, mode, orientation):
    """The same picture comes of it, and the size that it has counts: 613x409 at a width of 40 is 27 high."""
    y, x = np.mgrid[:409, :613]
    pixels = np.stack([x * 255 // 613, y * 255 // 409, (x + y) % 256, 255 - x * 100 // 613], -1).astype(
        np.uint8
    )
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(pixels).convert("RGB" if mode in ("P", "1", "L") else mode).convert(mode)
    image.save(tmp_path / "x.png", exif=exif)
    size = SizeRequest(40)
    whole = take_images([tmp_path / "x.png"], 8.0, ReadOptions(FrameRequest(), size))
    monkeypatch.setattr(still_images, "LARGE", 1000)
    seen = []
    converted = still_images.converted
    monkeypatch.setattr(still_images, "converted", lambda part: seen.append(part.size) or converted(part))
    small = take_images([tmp_path / "x.png"], 8.0, ReadOptions(FrameRequest(), size))
    assert (
        small.frames.shape == whole.frames.shape == ((1, 27, 40, 3) if orientation == 1 else (1, 60, 40, 3))
    )
    assert len(seen) > 1 and max(height for _, height in seen) < 409
    assert float((small.frames - whole.frames).abs().mean()) < 0.02
    if mode == "RGBA":
        assert float((small.alpha - whole.alpha).abs().max()) < 0.02


def test_a_large_jpeg_is_decoded_smaller(tmp_path, monkeypatch):
    y, x = np.mgrid[:400, :640]
    image = Image.fromarray(np.stack([x * 255 // 640, y * 255 // 400, x * 0 + 90], -1).astype(np.uint8))
    image.save(tmp_path / "x.jpg", quality=95)
    size = SizeRequest(40)
    whole = take_images([tmp_path / "x.jpg"], 8.0, ReadOptions(FrameRequest(), size))
    monkeypatch.setattr(still_images, "LARGE", 1000)
    needed = 12 * 40 * 25 + 160 * 100 * 16  # the frame, and a quarter of the picture
    small = take_images(
        [tmp_path / "x.jpg"], 8.0, ReadOptions(FrameRequest(), size, free_memory=lambda: needed)
    )
    assert small.frames.shape == whole.frames.shape == (1, 25, 40, 3)
    assert float((small.frames - whole.frames).abs().max()) < 0.05
