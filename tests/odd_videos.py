"""Odd and broken video files, made on the spot with PyAV, and what reading each of them has to give:
known pictures, or an error.

Every frame is a grid of 4 x 6 cells of one colour each: known
colours, the frame's number in binary, greys, more colours.
"""

import shutil
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from zoetrope.video_io.thread_priority import kept_priority

ROWS, COLUMNS, CELL = 4, 6, 16
HEIGHT, WIDTH = ROWS * CELL, COLUMNS * CELL
FRAMES, RATE = 7, 10
LOW, HIGH = 0.1, 0.9
COLOURS = (
    ((0.9, 0.1, 0.1), (0.1, 0.9, 0.1), (0.1, 0.1, 0.9), (0.9, 0.9, 0.1), (0.9, 0.9, 0.9), (0.1, 0.1, 0.1)),
    ((0.2, 0.2, 0.2), (0.3, 0.3, 0.3), (0.4, 0.4, 0.4), (0.5, 0.5, 0.5), (0.6, 0.6, 0.6), (0.8, 0.8, 0.8)),
    ((0.1, 0.9, 0.9), (0.9, 0.1, 0.9), (0.9, 0.7, 0.6), (0.1, 0.4, 0.1), (0.9, 0.5, 0.1), (0.4, 0.1, 0.7)),
)
ALPHA = np.linspace(1, 0.2, COLUMNS)[None].repeat(ROWS, 0)
"""Opacity (4, 6): opaque at the left, nearly transparent at the right."""
X265 = {"x265-params": "log-level=none:keyint=10:crf=5"}
CLEAR = {"crf": "5", "g": "10"}


def cells(number):
    """The colours (4, 6, 3), 0..1, of frame `number`, which is below 64; its bits stand in the second row."""
    bits = [[HIGH if number >> bit & 1 else LOW] * 3 for bit in range(COLUMNS)]
    return np.array([COLOURS[0], bits, COLOURS[1], COLOURS[2]])


def paint(grid, height=HEIGHT, width=WIDTH):
    """Cells (4, 6, C) as a picture (H, W, C)."""
    rows, columns = (np.arange(side) * count // side for side, count in ((height, ROWS), (width, COLUMNS)))
    return grid[rows][:, columns]


def images(numbers=range(FRAMES), height=HEIGHT, width=WIDTH):
    return [paint(cells(number), height, width) for number in numbers]


def with_alpha(alpha=ALPHA):
    return [np.dstack([image, paint(alpha[..., None])]) for image in images()]


def read_cells(image, rows=ROWS, columns=COLUMNS):
    """The means (rows, columns, ...) of the middles of the cells of a picture (H, W, ...)."""
    height, width = image.shape[:2]

    def middle(index, count, side):
        first = round((index + 0.3) * side / count)
        return slice(first, max(first + 1, round((index + 0.7) * side / count)))

    grid = [
        [image[middle(r, rows, height), middle(c, columns, width)].mean((0, 1)) for c in range(columns)]
        for r in range(rows)
    ]
    return np.array(grid)


@dataclass(frozen=True)
class OddVideo:
    """How a file is made, and what comes of it: frames with known numbers and cells, or an error."""

    name: str  # of the file
    make: Callable[[Path], None]
    numbers: Sequence[int] = range(FRAMES)
    size: tuple[int, int] = (WIDTH, HEIGHT)
    fps: float | None = RATE
    seen: Callable[[np.ndarray], np.ndarray] = lambda grid: grid  # what becomes of the cells that were drawn
    alpha: np.ndarray | None = None  # (4, 6)
    request: dict = field(default_factory=dict)  # fields of FrameRequest
    tolerance: float = 0.04
    error: str = ""  # a pattern; with it there are no frames
    refused: bool = False  # Load Video itself does not let the file through


def check_frames(odd, frames, alpha):
    """Fails unless frames (F, H, W, 3) show what was drawn into the file,
    and alpha (F, H, W) how opaque it was.
    """
    assert (len(frames), *frames.shape[1:3]) == (len(odd.numbers), odd.size[1], odd.size[0])
    for frame, number in zip(frames, odd.numbers, strict=True):
        expected = odd.seen(cells(number))
        np.testing.assert_allclose(
            read_cells(frame, *expected.shape[:2]), expected, atol=odd.tolerance, err_msg=f"frame {number}"
        )
    assert (alpha is None) == (odd.alpha is None)
    if alpha is not None:
        for opacity in alpha:
            np.testing.assert_allclose(read_cells(opacity), odd.alpha, atol=0.03)


# --- making files


@kept_priority()
def encode(
    target,
    codec,
    frames=None,
    rate=RATE,
    pix_fmt="yuv420p",
    options=CLEAR,
    tune=None,
    times=None,
    space=None,
    full=False,
    container=None,
):
    """Writes pictures (H, W, 3 or 4), 0..1, as a video, or returns stream and packets where a container is
    given. times: milliseconds.
    """
    frames = images() if frames is None else frames
    output = container or av.open(str(target), "w")
    stream = output.add_stream(codec, rate=rate, options=dict(options))
    stream.height, stream.width = frames[0].shape[:2]
    stream.pix_fmt = pix_fmt
    if times is not None:
        stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
    if tune:
        tune(stream)
    packets = []
    for index, image in enumerate(frames):
        layout = "rgba64le" if image.shape[2] == 4 else "rgb48le"
        frame = av.VideoFrame.from_ndarray((image * 65535).round().astype(np.uint16), format=layout)
        frame = frame.reformat(format=pix_fmt, dst_colorspace=space, dst_color_range="JPEG" if full else None)
        frame.pts, frame.time_base = (
            (index, 1 / Fraction(rate)) if times is None else (times[index], Fraction(1, 1000))
        )
        packets += stream.encode(frame)
    packets += stream.encode()
    if container is None:
        with output:
            output.mux(packets)
    return stream, packets


def video(codec, *arguments, **settings):
    return lambda path: encode(path, codec, *arguments, **settings)


def tags(primaries=None, transfer=None, matrix=None, colour_range=None):
    """The colours of a stream by their numbers in ITU-T H.273."""

    def tune(stream):
        context = stream.codec_context
        for name, value in {
            "color_primaries": primaries,
            "color_trc": transfer,
            "colorspace": matrix,
            "color_range": colour_range,
        }.items():
            if value is not None:
                setattr(context, name, value)

    return tune


def interlaced(stream):
    flags = av.codec.context.Flags
    stream.codec_context.flags |= flags.interlaced_dct | flags.interlaced_me


def made(path, name):
    """A sound file beside `path`."""
    encode(path.with_name(name), "libx264")
    return path.with_name(name)


def written(content):
    return lambda path: path.write_bytes(content)


def changed(change, codec="libx264", suffix="mp4", frames=20, options=CLEAR, **settings):
    """Makes a sound file of 20 frames and changes its bytes."""

    def make(path):
        whole = path.with_name(f"whole-{path.stem}.{suffix}")
        encode(whole, codec, images(range(frames)), options=options, **settings)
        path.write_bytes(bytes(change(bytearray(whole.read_bytes()))))

    return make


def repacked(change, suffix, codec="libx264", options=CLEAR, frames=range(20), then=None, **open_options):
    """Makes a sound file and muxes its packets again:
    what `change(index, packet)` makes of them, None for leaving them out.
    """

    def make(path):
        whole = path.with_name(f"whole-{path.stem}.{suffix}")
        encode(whole, codec, images(frames), options=options)
        with av.open(str(whole)) as source, av.open(str(path), "w", options=open_options) as target:
            stream = source.streams.video[0]
            copy = target.add_stream_from_template(stream)
            for index, packet in enumerate(source.demux(stream)):
                packet = change(index, packet) if packet.size else None
                if packet is not None:
                    packet.stream = copy
                    target.mux(packet)
        if then:
            path.write_bytes(then(path.read_bytes()))

    return make


def shifted(seconds):
    def change(_, packet):
        ticks = round(seconds / packet.time_base)
        packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks
        return packet

    return change


def displayed(a, b, c, d):
    """The bytes of an MP4 file with another display matrix in its track header, as phones write it."""

    def change(content):
        place = content.index(b"tkhd") + 44
        content[place : place + 36] = struct.pack(
            ">9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30
        )
        return content

    return changed(change, frames=FRAMES)


def cut(share):
    return lambda content: content[: round(len(content) * share)]


def filled(packet, content):
    """A packet with other content, shown at the same time."""
    other = av.Packet(content)
    other.pts, other.dts, other.time_base, other.duration = (
        packet.pts,
        packet.dts,
        packet.time_base,
        packet.duration,
    )
    return other


def damaged(suffix, codec="libx264"):
    """Frame 12 of 20 is noise, and frame 10 was the last key frame."""
    options = {**CLEAR, "bf": "0"}
    return repacked(
        lambda index, packet: filled(packet, b"\0" * packet.size) if index == 12 else packet,
        suffix,
        codec,
        options,
    )


def headless(suffix, codec="libx264"):
    """The first 4 of 20 frames are not there, and frame 10 is the next key frame."""
    return repacked(lambda index, packet: packet if index > 3 else None, suffix, codec)


def sound_only(path, cover=False):
    packets = []
    with av.open(str(path), "w") as container:
        sound = container.add_stream("aac", rate=8000, layout="mono")
        if cover:
            stream, packets = encode(
                None, "mjpeg", images([0]), pix_fmt="yuvj420p", full=True, container=container, options={}
            )
            stream.disposition = av.stream.Disposition.attached_pic
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4000), np.float32), format="fltp", layout="mono")
        frame.rate, frame.pts = 8000, 0
        container.mux(sound.encode(frame) + sound.encode() + packets)


def two_streams(disposition, codec="libx264", **settings):
    """Makes a file whose first stream of pictures is not the one to be shown."""

    def make(path):
        with av.open(str(path), "w") as container:
            other, first = encode(None, codec, images([63], 32, 48), container=container, **settings)
            main, packets = encode(None, "libx264", container=container)
            other.disposition, main.disposition = disposition, av.stream.Disposition.default
            container.mux(first + packets)

    return make


def gif_of_size(side, frames):
    """A GIF that claims to be side x side pixels, and fills one of them."""
    frame = b"\x21\xf9\x04\x00\x0a\0\0\0" + b"\x2c\0\0\0\0\x01\0\x01\0\0" + b"\x02\x02\x44\x01\0"
    return b"GIF89a" + struct.pack("<HH", side, side) + b"\x80\0\0\0\0\0\xff\xff\xff" + frame * frames + b";"


EMPTY_VOP = b"\x00\x00\x01\xb6\x53\x9f"
"""MPEG-4 without a picture, as encoders write for a frame that is like the one before:
P, marker, time, marker, vop_coded = 0.
"""


# --- HDR: the inverse of what a viewer sees, so that the colours drawn are those seen


def hdr(transfer):
    """The pictures as PQ (16) or HLG (18) signals in BT.2020;
    what is seen is extended Reinhard of the light over 203 cd/m2.
    """
    rec709_to_rec2020 = np.array(
        ((0.6274, 0.3293, 0.0433), (0.0691, 0.9195, 0.0114), (0.0164, 0.0880, 0.8956))
    )
    peak = 1000 / 203
    frames = []
    for image in images():
        shown = np.where(image < 0.081, image / 4.5, ((image + 0.099) / 1.099) ** (1 / 0.45))
        brightest = shown.max(2, keepdims=True)
        root = ((1 - brightest) ** 2 + 4 * brightest / peak**2) ** 0.5
        light = 203 * shown / brightest * (brightest - 1 + root) * peak**2 / 2 @ rec709_to_rec2020.T
        if transfer == 16:
            power = (light / 10000) ** (2610 / 16384)
            signal = ((3424 / 4096 + 2413 / 128 * power) / (1 + 2392 / 128 * power)) ** (2523 / 32)
        else:
            luma = (light @ np.array((0.2627, 0.6780, 0.0593)))[..., None]
            scene = light / 1000 * (luma / 1000) ** (1 / 1.2 - 1)
            upper = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
            signal = np.where(scene <= 1 / 12, (3 * scene) ** 0.5, upper)
        frames.append(signal)
    return frames


def wide_gamut():
    """The pictures as a BT.2020 signal without HDR."""
    rec709_to_rec2020 = np.array(
        ((0.6274, 0.3293, 0.0433), (0.0691, 0.9195, 0.0114), (0.0164, 0.0880, 0.8956))
    )
    frames = []
    for image in images():
        linear = (
            np.where(image < 0.081, image / 4.5, ((image + 0.099) / 1.099) ** (1 / 0.45))
            @ rec709_to_rec2020.T
        )
        frames.append(
            np.where(linear < 0.018, 4.5 * linear, 1.099 * np.maximum(linear, 1e-9) ** 0.45 - 0.099)
        )
    return frames


def grey(grid):
    return np.repeat((grid @ np.array((0.299, 0.587, 0.114)))[..., None], 3, 2)


NO_COVER = av.stream.Disposition(0)
COVER = av.stream.Disposition.attached_pic
DAMAGED = (
    r"wanted frames could not be decoded, from \d\.\d\d s to \d\.\d\d s: the file is damaged there; end"
    r" before it"
)
UNREADABLE = "cannot be read as a video .*: choose another file"

ODD_VIDEOS = {
    # files that are no video
    "missing": OddVideo(
        "not there.mp4", lambda path: None, error="was not found; choose another file", refused=True
    ),
    "folder": OddVideo("folder.mp4", Path.mkdir, error="'folder.mp4' is a folder; choose a file in it"),
    "empty": OddVideo("empty.mp4", written(b""), error=UNREADABLE),
    "text": OddVideo("text.mp4", written(b"this is a text\n" * 99), error=UNREADABLE),
    "noise": OddVideo("noise.mp4", written(np.random.RandomState(0).bytes(5000)), error=UNREADABLE),
    "playlist": OddVideo(
        "list.mp4",
        lambda path: path.write_text(f"ffconcat version 1.0\nfile '{made(path, 'listed.ts').name}'\n"),
        error="a list of other files, which is not followed",
    ),
    "HLS playlist": OddVideo(
        "list.m3u8",
        lambda path: path.write_text(
            f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{made(path, 'listed.ts')}\n#EXT-X-ENDLIST\n"
        ),
        error="a list of other files, which is not followed",
    ),
    "sound only": OddVideo("sound.m4a", sound_only, error="has no pictures, only audio; choose a video"),
    "sound and a cover": OddVideo(
        "song.mp4", lambda path: sound_only(path, True), error="only audio and a cover; choose a video"
    ),
    "animated WebP": OddVideo(
        "animated.webp", video("libwebp_anim", pix_fmt="bgra", options={}), error="WebP goes into Load Frames"
    ),
    # damage
    "cut before its index": OddVideo("cut.mp4", changed(cut(0.6)), error=UNREADABLE),
    "cut behind its index": OddVideo(
        "cut-fast.mp4",
        repacked(lambda _, packet: packet, "mp4", movflags="faststart", then=cut(0.66)),
        error=DAMAGED,
    ),
    "cut MKV": OddVideo("cut.mkv", changed(cut(0.625), "ffv1", "mkv", options={"g": "1"}), range(12)),
    "damaged H.264": OddVideo("damaged.mp4", damaged("mp4"), error=DAMAGED),
    "damaged VP9": OddVideo("damaged.webm", damaged("webm", "libvpx-vp9"), error=DAMAGED),
    "damaged, read before the damage": OddVideo(
        "damaged-late.mp4", damaged("mp4"), range(12), request={"frame_cap": 12}
    ),
    "no key frame at the start": OddVideo("headless.mkv", headless("mkv"), range(10, 20)),
    "no key frame, VP9": OddVideo("headless.webm", headless("webm", "libvpx-vp9"), range(10, 20)),
    "a packet without a picture": OddVideo(
        "empty-vop.mp4",
        repacked(
            lambda index, packet: filled(packet, EMPTY_VOP) if index == 3 else packet,
            "mp4",
            "mpeg4",
            {"qscale": "2"},
            [0, 1, 2, 2, 3, 4, 5, 6],
        ),
        fps=None,
    ),
    "claims 65535 x 65535": OddVideo(
        "claim.gif", written(gif_of_size(65535, 1)), error="no frames that can be decoded"
    ),
    "300 frames of 16000 x 16000": OddVideo(
        "claims.gif",
        written(gif_of_size(16000, 300)),
        error="300 frames of 16000x16000 need .* GiB of memory and .* are free; take fewer frames",
    ),
    # times
    "variable frame rate": OddVideo(
        "vfr.mkv", video("libx264", times=[0, 40, 100, 400, 900, 950, 1800]), fps=None
    ),
    "variable frame rate made even": OddVideo(
        "vfr.mp4",
        video("libx264", times=[0, 40, 100, 400, 900, 950, 1200]),
        [0, 2, 3, 3, 3, 5, 6],
        fps=5,
        request={"force_rate": 5.0, "frame_cap": 7},
    ),
    "one frame": OddVideo("one.mp4", video("libx264", images([5])), [5]),
    "edit list": OddVideo(
        "edit.mp4", repacked(shifted(-0.3), "mp4", options={**CLEAR, "bf": "2"}, frames=range(9)), range(3, 9)
    ),
    "starts late": OddVideo(
        "late.mp4",
        repacked(shifted(0.5), "mp4", frames=range(9)),
        range(2, 9),
        request={"start_seconds": 0.2},
    ),
    "transport stream": OddVideo(
        "x.ts",
        video("libx264", images(range(30))),
        range(23, 27),
        request={"skip_first_frames": 23, "frame_cap": 4},
    ),
    "transport streams joined": OddVideo(
        "joined.ts", changed(lambda content: content * 2, suffix="ts", frames=6), [*range(6), *range(6)]
    ),
    "fragmented": OddVideo(
        "fragments.mp4",
        repacked(lambda _, packet: packet, "mp4", movflags="frag_keyframe+empty_moov"),
        range(20),
    ),
    "no times, H.264": OddVideo("raw.h264", video("libx264", options={**CLEAR, "bf": "2"})),
    "no times, HEVC": OddVideo("raw.hevc", video("libx265", options=X265)),
    "times of decoding only": OddVideo(
        "reordered.avi",
        video("libx264", options={**CLEAR, "bf": "2"}),
        [2, 3],
        request={"skip_first_frames": 2, "frame_cap": 2},
    ),
    # names
    "MP4 called AVI": OddVideo("wrong.avi", changed(bytes), range(20)),
    "MP4 called text": OddVideo("wrong.txt", changed(bytes), range(20)),
    "unicode and shell characters": OddVideo(
        "Größe 視頻 🎞 $(touch x);'&%d#.mp4", lambda path: shutil.copy(made(path, "plain.mp4"), path)
    ),
    # streams
    "two streams of pictures": OddVideo("two.mkv", two_streams(NO_COVER)),
    "cover": OddVideo("cover.mp4", two_streams(COVER, "mjpeg", pix_fmt="yuvj420p", full=True, options={})),
    "a picture": OddVideo(
        "picture.png", video("png", images([9]), pix_fmt="rgb24", options={}), [9], fps=None
    ),
    # sizes and orientations
    "turned by 90 degrees": OddVideo(
        "r90.mp4", displayed(0, 1, -1, 0), size=(HEIGHT, WIDTH), seen=lambda grid: np.rot90(grid, 3)
    ),
    "turned by 180 degrees": OddVideo(
        "r180.mp4", displayed(-1, 0, 0, -1), seen=lambda grid: np.rot90(grid, 2)
    ),
    "turned by 270 degrees": OddVideo(
        "r270.mp4", displayed(0, -1, 1, 0), size=(HEIGHT, WIDTH), seen=np.rot90
    ),
    "mirrored": OddVideo("mirror.mp4", displayed(-1, 0, 0, 1), seen=lambda grid: grid[:, ::-1]),
    "upside down": OddVideo("flip.mp4", displayed(1, 0, 0, -1), seen=lambda grid: grid[::-1]),
    "mirrored and turned": OddVideo(
        "transposed.mp4", displayed(0, 1, 1, 0), size=(HEIGHT, WIDTH), seen=lambda grid: grid.swapaxes(0, 1)
    ),
    "odd sides": OddVideo("odd.mkv", video("libvpx-vp9", images(height=65, width=97)), size=(97, 65)),
    "pixels that are not square": OddVideo(
        "wide.mp4",
        video("libx264", tune=lambda stream: setattr(stream, "sample_aspect_ratio", Fraction(4, 3))),
        size=(128, HEIGHT),
    ),
    "interlaced": OddVideo(
        "fields.mpg",
        video("mpeg2video", rate=25, pix_fmt="yuv422p", options={"b": "9000000"}, tune=interlaced),
        fps=25,
    ),
    "interlaced, lower field first": OddVideo(
        "bff.mp4", video("libx264", rate=25, options={**CLEAR, "x264-params": "bff=1"}), fps=25
    ),
    # colours
    "H.264, 10 bits": OddVideo("10.mp4", video("libx264", pix_fmt="yuv420p10le")),
    "HEVC, 10 bits": OddVideo("10-hevc.mp4", video("libx265", pix_fmt="yuv420p10le", options=X265)),
    "ProRes": OddVideo("prores.mov", video("prores_ks", pix_fmt="yuv422p10le", options={})),
    "AV1": OddVideo(
        "av1.mp4",
        video("libsvtav1", options={"crf": "5", "preset": "8", "svtav1-params": "lp=1:enable-tf=0"}),
    ),
    "floating point": OddVideo("exr.mov", video("exr", pix_fmt="gbrpf32le", options={})),
    "RGB": OddVideo("rgb.mp4", video("libx264rgb", pix_fmt="rgb24")),
    "PQ": OddVideo(
        "pq.mkv", video("ffv1", hdr(16), pix_fmt="yuv444p12le", space=9, options={}, tune=tags(9, 16, 9, 1))
    ),
    "HLG": OddVideo(
        "hlg.mkv", video("ffv1", hdr(18), pix_fmt="yuv444p12le", space=9, options={}, tune=tags(9, 18, 9, 1))
    ),
    "full range": OddVideo("full.mp4", video("libx264", full=True, tune=tags(colour_range=2))),
    "limited range": OddVideo("limited.mp4", video("libx264", tune=tags(colour_range=1))),
    "MJPEG": OddVideo("mjpeg.avi", video("mjpeg", pix_fmt="yuvj420p", full=True, options={"qscale": "2"})),
    "BT.601": OddVideo("601.mp4", video("libx264", space="ITU601", tune=tags(6, 6, 6, 1))),
    "BT.709": OddVideo("709.mp4", video("libx264", space="ITU709", tune=tags(1, 1, 1, 1))),
    "BT.2020": OddVideo(
        "2020.mkv",
        video("ffv1", wide_gamut(), pix_fmt="yuv444p10le", space=9, options={}, tune=tags(9, 14, 9, 1)),
    ),
    "YCgCo": OddVideo(
        "ycgco.mkv",
        video("libx264", pix_fmt="yuv444p", tune=tags(matrix=8)),
        error="cannot be converted to RGB; convert the",
    ),
    "grey": OddVideo("grey.mkv", video("ffv1", pix_fmt="gray", options={}), seen=grey),
    "grey, 10 bits": OddVideo("grey10.mkv", video("ffv1", pix_fmt="gray10le", options={}), seen=grey),
    "palette": OddVideo(
        "palette.gif",
        video("gif", pix_fmt="rgb8", options={}),
        tolerance=0.15,
        alpha=np.ones((ROWS, COLUMNS)),
    ),
    # opacity
    "VP9 with opacity": OddVideo(
        "vp9.webm", video("libvpx-vp9", with_alpha(), pix_fmt="yuva420p"), alpha=ALPHA
    ),
    "VP8 with opacity": OddVideo(
        "vp8.webm",
        video(
            "libvpx", with_alpha(), pix_fmt="yuva420p", options={"auto-alt-ref": "0", "crf": "5", "b": "2M"}
        ),
        alpha=ALPHA,
    ),
    "ProRes 4444": OddVideo(
        "4444.mov", video("prores_ks", with_alpha(), pix_fmt="yuva444p10le", options={}), alpha=ALPHA
    ),
    "PNG in MOV": OddVideo("png.mov", video("png", with_alpha(), pix_fmt="rgba", options={}), alpha=ALPHA),
    "PNG of 16 bits in MOV": OddVideo(
        "png16.mov", video("png", with_alpha(), pix_fmt="rgba64be", options={}), alpha=ALPHA
    ),
    "QuickTime Animation": OddVideo(
        "qtrle.mov", video("qtrle", with_alpha(), pix_fmt="argb", options={}), alpha=ALPHA
    ),
    "APNG": OddVideo("animated.apng", video("apng", with_alpha(), pix_fmt="rgba", options={}), alpha=ALPHA),
}
