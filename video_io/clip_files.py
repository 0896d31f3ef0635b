"""A span of a video's frames as a file of its own: encoded anew, exactly, or copied from key frame on.

Frames keep their own times, also where the frame rate varies, and the sound of their span. One thread
encodes, and without mbtree, which reads memory that nobody has written where there are B frames
(MALLOC_PERTURB_ shows it): then x264 makes the same bytes every time.
"""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import BinaryIO

import av
import torch

from ..foreign_text import printable
from .clip_sound import sound_of_clip
from .decode import numbered_frames
from .display_matrix import turn_of
from .encode import BT709, LIMITED_RANGE
from .even_times import exact_rate, find_grid
from .frame_pixels import ONE_THREAD, PixelPacker
from .frame_plan import FrameRequest
from .frame_selection import FrameChunks, ReadOptions
from .frame_size import SizeRequest
from .hdr import is_wider
from .probe import Source, VideoProbe, open_video, video_stream
from .sound_track import SoundTrack

TICKS = Fraction(1, 90000)
"""Seconds that times of clips are whole numbers of where they lie on no even grid."""
CHUNK = 4
PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow")


@dataclass(frozen=True)
class ClipEncoding:
    """How a clip is encoded: crf 1 (best) to 51; preset: one of PRESETS, faster ones make larger files.

    width, height: of frames, 0 = as the video's; resize, multiple_of: as SizeRequest. sound: whether clips
    keep that of their source. Raises ValueError.
    """

    crf: float = 18.0
    preset: str = "veryfast"
    width: int = 0
    height: int = 0
    resize: str = "crop"
    multiple_of: int = 2
    sound: bool = True

    def __post_init__(self) -> None:
        if not 1 <= self.crf <= 51:
            raise ValueError(f"crf={self.crf:g} must be 1 (best) to 51; 18 looks like the original.")
        if self.preset not in PRESETS:
            raise ValueError(f"preset='{printable(self.preset)}' must be one of {', '.join(PRESETS)}.")
        self.size  # noqa: B018, checks the sides

    @property
    def size(self) -> SizeRequest:
        """What size frames are asked to have."""
        return SizeRequest(self.width, self.height, self.resize, self.multiple_of)


def write_clip(
    source: Source, probe: VideoProbe, first: int, last: int, file: BinaryIO,
    encoding: ClipEncoding | None = None, stop: Callable[[], None] = int,
) -> None:  # fmt: skip
    """Encodes exactly the frames first..last to an H.264 MP4 in an open file.

    Frames of 8-bit YUV keep their values and colour tags; turned, HDR, resized ones and those of odd sides
    become BT.709. Raises ValueError where a frame cannot be decoded.
    """
    encoding = encoding or ClipEncoding()
    times = _Times(probe, first, last)
    with av.open(file, "w", format="mp4", options={"movflags": "+faststart"}, **_readable(file)) as out:
        sound = sound_of_clip(out, source, probe, (first, last), stop) if encoding.sound else None
        writer = _Writer(out, times, encoding, sound)
        frames = numbered_frames(source, probe, first, last, stop)
        head = next(frames, None)
        if head is None:
            raise ValueError(_lost(last - first + 1, probe, first))
        if _is_plain(head[1], probe, encoding):
            written = writer.plain(head, frames)
        else:
            frames.close()
            written = writer.converted(source, probe, (first, last), stop)
        if written != last - first + 1:
            raise ValueError(_lost(last - first + 1 - written, probe, first))
        writer.finish()


def _readable(file: BinaryIO) -> dict:
    """Moving the index to the front reads back what was written: only a file with a name can do that."""
    return {"io_open": functools.partial(_read_back, file)}


def _read_back(file: BinaryIO, url: str, flags: int, options: dict) -> BinaryIO:
    file.flush()
    return open(file.name, "rb")  # PyAV closes it


def _lost(count: int, probe: VideoProbe, first: int) -> str:
    return (
        f"{count} frames from {probe.times[first]:.2f} s on cannot be decoded: the file is damaged there; cut"
        " it before or repair it."
    )


def _is_plain(frame: av.VideoFrame, probe: VideoProbe, encoding: ClipEncoding) -> bool:
    """Whether a frame's own YUV values can be encoded as they are."""
    layout, turn = frame.format, turn_of(frame)
    deep = max(part.bits for part in layout.components) > 8 or is_wider(
        frame.color_primaries, frame.color_trc
    )
    even = frame.width % encoding.multiple_of == 0 == frame.height % encoding.multiple_of
    even = even and not (frame.width % 2 or frame.height % 2)
    turned = turn.transposed or turn.flip_x or turn.flip_y
    wanted = encoding.width or encoding.height or probe.aspect != 1
    return layout.name.startswith("yuv") and even and not (deep or turned or wanted or probe.has_alpha)


class _Times:
    """When the frames of a clip are shown, in whole numbers of `tick` from its first on."""

    def __init__(self, probe: VideoProbe, first: int, last: int) -> None:
        times = probe.times[first : last + 1]
        grid = find_grid(times, probe.tick, [exact_rate(probe.fps)])
        self.first = first
        if grid is None:
            self.tick, self.rate = TICKS, Fraction(probe.fps).limit_denominator(1001)
            self.places = [round((time - times[0]) / TICKS) for time in times]
        else:
            self.tick, self.rate = 1 / grid.rate, grid.rate
            self.places = (grid.places - grid.places[0]).tolist()


class _Writer:
    """Encodes the frames of one clip."""

    def __init__(self, out, times: _Times, encoding: ClipEncoding, sound: SoundTrack | None) -> None:
        self.out, self.times, self.encoding, self.stream = out, times, encoding, None
        self.sound, self.written = sound, 0

    def plain(self, head: tuple[int, av.VideoFrame], frames: Iterator[tuple[int, av.VideoFrame]]) -> int:
        """Frames with the values that they have; how many."""
        reformat = av.video.reformatter.VideoReformatter().reformat
        self._put(reformat(head[1], format="yuv420p", threads=ONE_THREAD), head[1])
        for _, frame in frames:
            self._put(reformat(frame, format="yuv420p", threads=ONE_THREAD), frame)
        return self.written

    def converted(self, source: Source, probe: VideoProbe, span: tuple[int, int], stop) -> int:
        """Frames by way of RGB: turned, scaled, toned; how many."""
        first, last = span
        request = FrameRequest(skip_first_frames=first, frame_cap=last - first + 1)
        packers: list[PixelPacker] = []

        def encode(chunk: torch.Tensor) -> None:
            height, width = chunk.shape[1:3]
            if not packers:
                packers.append(PixelPacker(width, height, "yuv420p", self.times.rate))
            for frame in chunk:
                for image in packers[0].pack(frame):
                    self._put(image)

        selection = FrameChunks(probe, ReadOptions(request, self.encoding.size, stop=stop), CHUNK, encode)
        with selection:
            for number, frame in numbered_frames(source, probe, first, last, stop):
                selection.put(number, frame)
        selection.finished()
        return self.written

    def _put(self, image: av.VideoFrame, like: av.VideoFrame | None = None) -> None:
        if self.stream is None:
            self._begin(image, like)
        image.pts, image.time_base = self.times.places[self.written], self.times.tick
        image.pict_type = 0  # a key frame of the source need not be one here
        if self.sound is not None:
            self.sound.write_until(float(self.times.places[self.written] * self.times.tick))
        self.out.mux(self.stream.encode(image))
        self.written += 1

    def _begin(self, image: av.VideoFrame, like: av.VideoFrame | None) -> None:
        self._set_up(image, like)
        if self.sound is not None:
            self.sound.begin()

    def _set_up(self, image: av.VideoFrame, like: av.VideoFrame | None) -> None:
        self.stream = self.out.add_stream("libx264", rate=self.times.rate)
        self.stream.width, self.stream.height, self.stream.pix_fmt = image.width, image.height, "yuv420p"
        options = {"crf": f"{self.encoding.crf:g}", "preset": self.encoding.preset}
        self.stream.options = options | {"x264-params": "mbtree=0"}
        context = self.stream.codec_context
        context.thread_count, context.time_base = 1, self.times.tick
        if like is None:
            context.color_primaries = context.color_trc = context.colorspace = BT709
            context.color_range = LIMITED_RANGE
            return
        for name in ("color_primaries", "color_trc", "colorspace", "color_range"):
            setattr(context, name, getattr(like, name))

    def finish(self) -> None:
        self.out.mux(self.stream.encode(None))
        _end(self.sound)


def _end(sound: SoundTrack | None) -> None:
    if sound is not None:
        sound.write_until(math.inf)
        sound.finish()


def copy_clip(
    source: Source, probe: VideoProbe, first: int, last: int, file: BinaryIO, sound: bool = True,
    stop: Callable[[], None] = int,
) -> tuple[int, int]:  # fmt: skip
    """Copies what of the frames first..last can be cut out without encoding, to an MP4 in an open file; the
    numbers of the first and the last frame copied. Their sound is encoded, because it must be cut exactly.

    It begins at the first key frame of the span and ends with the last group of frames that is whole, so that
    no frame of another shot is in it. Raises ValueError where nothing is left, or MP4 cannot hold the codec.
    """
    stamps = [round(time / probe.tick) for time in probe.times]
    key = next((key for key in probe.keys if stamps[first] <= key.pts <= stamps[last]), None)
    if key is None or probe.counted:
        raise ValueError(
            "no key frame lies between these cuts, so nothing can be copied; re-encode the clip."
        )
    end = stamps[last + 1] if last + 1 < len(stamps) else None
    with open_video(source) as container:
        stream = video_stream(container)
        packets = _whole_groups(_from_key(container, stream, key), key.pts, end, stamps)
        if not packets:
            raise ValueError("no whole group of frames lies between these cuts; re-encode the clip.")
        shown = {stamp: number for number, stamp in enumerate(stamps)}
        numbers = [shown[packet.pts] for packet in packets if packet.pts in shown]
        span = min(numbers), max(numbers)
        with _mp4(file) as out:
            track = sound_of_clip(out, source, probe, span, stop) if sound else None
            _copy(out, stream, packets, key.pts, track)
    return span


def _from_key(container, stream, key) -> Iterator[av.Packet]:
    """The packets from a key frame on, without those that are shown before it."""
    container.seek(key.pts, stream=stream, backward=True)
    begun = False
    for packet in container.demux(stream):
        begun = begun or (packet.is_keyframe and packet.pts == key.pts)
        if begun and packet.size and packet.pts is not None and packet.pts >= key.pts:
            yield packet


def _whole_groups(packets: Iterator[av.Packet], begin: int, end: int | None, stamps: list[int]) -> list:
    """Packets up to the first one that is shown at `end` or later, less those behind a gap."""
    taken = []
    for packet in packets:
        if end is not None and packet.pts >= end:
            break
        taken.append(packet)
    there = {packet.pts for packet in taken}
    wanted = [stamp for stamp in stamps if stamp >= begin]
    gap = next((stamp for stamp in wanted if stamp not in there), None)
    while gap is not None and taken and taken[-1].pts > gap:
        taken.pop()
    whole = {packet.pts for packet in taken}
    if gap is not None and any(stamp > gap for stamp in whole):  # what lies behind the gap was decoded before
        place = next(index for index, packet in enumerate(taken) if packet.pts > gap)
        return _whole_groups(iter(taken[:place]), begin, end, stamps)
    return taken


@contextlib.contextmanager
def _mp4(file: BinaryIO) -> Iterator[av.container.OutputContainer]:
    options = {"movflags": "+faststart"}
    try:
        with av.open(file, "w", format="mp4", options=options, **_readable(file)) as out:
            yield out
    except av.error.FFmpegError as error:
        raise ValueError(
            f"MP4 cannot hold this video as it is ({printable(error)}); re-encode the clip."
        ) from error


def _copy(out, stream, packets: list, begin: int, sound: SoundTrack | None) -> None:
    """Puts packets into a file as they are, from the time `begin` on, and their sound beside them."""
    try:
        target = out.add_stream_from_template(stream)
    except ValueError as error:
        raise ValueError(
            f"MP4 cannot hold this video as it is ({printable(error)}); re-encode the clip."
        ) from error
    if sound is not None:
        sound.begin()
    for packet in packets:
        packet.pts -= begin
        packet.dts = None if packet.dts is None else packet.dts - begin
        if sound is not None:
            sound.write_until(float(packet.pts * stream.time_base))
        packet.stream = target
        out.mux(packet)
    _end(sound)
