"""Writes frames as they come, with the colours a browser shows:
converted with the BT.709 matrix and tagged with it.

ComfyUI's own writer converts with the BT.601 matrix and leaves the file untagged, so players guess: from 720
lines up browsers take BT.709, and greens and reds shift.

Source: ITU-R BT.709-6, item 3 (matrix); ITU-T H.273 (code points 1 for BT.709).
Letters: F frames, H height, W width.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import BinaryIO

import av
import torch

from .file_metadata import storable
from .formats import (
    AUTO,
    VideoFormat,
    check_settings,
    check_sound,
    choose_pix_fmt,
    find_format,
    hardware_options,
)
from .frame_pixels import PixelPacker
from .sound_track import begin_sound
from .thread_priority import kept_priority

BT709 = 1
"""The H.273 code point of BT.709 for primaries, transfer and matrix alike."""
LIMITED_RANGE = 1
LARGEST_DELAY = 64
"""Frames that a frame can be decoded before it is shown."""


@dataclass(frozen=True)
class EncodeSettings:
    """How frames are written. Raises ValueError for an unknown format,
    and for settings that the format does not take.
    """

    format: str  # of VIDEO_FORMATS
    fps: float
    crf: float | None = None  # None = what is usual for the format
    pix_fmt: str = AUTO
    loops: int = 0  # times an animated picture is played, 0 = for ever
    hardware: bool = False  # on the graphics card, where it can

    def __post_init__(self) -> None:
        check_settings(self.format, self.entry, self.fps, self.crf, self.pix_fmt, self.loops)

    @property
    def entry(self) -> VideoFormat:
        """The format itself."""
        return find_format(self.format)

    def check(self, with_alpha: bool, with_audio: bool) -> str:
        """The pixel format of the file. Raises ValueError for opacity or sound that it cannot keep."""
        check_sound(self.format, self.entry, with_audio)
        return choose_pix_fmt(self.format, self.entry, self.pix_fmt, with_alpha)

    @property
    def rate(self) -> Fraction:
        """Frames per second as containers store it."""
        return Fraction(self.fps).limit_denominator(1001)


class VideoEncoder:
    """Writes a video frame by frame to a path or buffer;
    what it holds in memory does not grow with the number of frames.

    Sides that a pixel format cannot have (odd ones with halved colour planes) are made
    even by repeating the last row or column. audio: ComfyUI's AUDIO, {"waveform": (B,
    C, N) in -1..1, "sample_rate": Hz}, of which the first sound is taken; what is
    longer than the video is cut off. metadata: texts by name for the container.
    """

    def __init__(
        self,
        target: str | BinaryIO,
        settings: EncodeSettings,
        with_alpha: bool = False,
        audio: dict | None = None,
        metadata: dict[str, str] | None = None,
    ) -> None:
        self.settings = settings
        self.format = settings.entry
        self.pix_fmt = settings.check(with_alpha, audio is not None)
        self.written = 0
        self._own_file = open(target, "wb") if isinstance(target, str) else None  # noqa: SIM115, see abandon
        try:
            self._container = self._open(self._own_file or target)
            self._container.metadata.update(storable(metadata or {}))
            self._sound = None if audio is None else begin_sound(self._container, self.format.audio, audio)
        except BaseException:
            self._close_own_file()
            raise
        self._video = self._packer = None

    def _open(self, file: BinaryIO) -> av.container.OutputContainer:
        """The container. It writes through Python's file, which can be closed whatever happens: PyAV loses
        the descriptor of a file that it opened itself when its beginning or end cannot be written."""
        options = dict(self.format.container_options)
        again = {}
        if isinstance(getattr(file, "name", None), str | os.PathLike):
            # Moving the index to the front reads back what was written.
            again["io_open"] = functools.partial(_read_back, file)
        elif "movflags" in options:  # what comes from a buffer is remuxed when it is saved
            options["movflags"] = options["movflags"].replace("+faststart", "")
        if self.format.loop is not None:
            options |= self.format.loop(self.settings.loops)
        return av.open(file, "w", format=self.format.container, options=options, **again)

    def write(self, frame: torch.Tensor, alpha: torch.Tensor | None = None) -> None:
        """Adds a frame (H, W, 3), values 0..1, with its opacity (H, W), 1 = opaque.
        Raises ValueError when its size differs.
        """
        if self._video is None:
            self._begin(frame)
        for image in self._packer.pack(frame, alpha):
            self._encode(image)

    def finish(self) -> int:
        """Writes what is still held back and closes the file;
        returns how many frames were written. Raises ValueError for none.
        """
        if self._video is None:
            raise ValueError("a video needs at least one frame; 0 were given.")
        for image in self._packer.finish():
            self._encode(image)
        self._mux(self._video.encode(None))
        if self._sound is not None:
            self._sound.write_until(float(self.written / self.settings.rate))
            self._sound.finish()
        self._container.close()
        if self._own_file is not None:
            self._own_file.close()
        return self.written

    def abandon(self) -> None:
        """Closes the file as it is. What is left of it cannot be played."""
        self._close_own_file()
        self._container.close()

    def _close_own_file(self) -> None:
        if self._own_file is not None:
            with contextlib.suppress(OSError):  # what a full disk did not take is thrown away
                self._own_file.close()

    def _begin(self, frame: torch.Tensor) -> None:
        height, width = frame.shape[:2]
        smallest, largest = self.format.sides
        if not smallest <= min(height, width) <= max(height, width) <= largest:
            raise ValueError(
                f"frames of {width}x{height} do not fit {self.settings.format}: its sides are {smallest} to"
                f" {largest} pixels; resize them or choose another format."
            )
        packer = PixelPacker(width, height, self.pix_fmt, self.settings.rate)
        codec, options = self._codec(packer)
        stream = self._container.add_stream(codec, rate=self.settings.rate)
        stream.width, stream.height, stream.pix_fmt = packer.width, packer.height, self.pix_fmt
        context = stream.codec_context
        if codec == "libvpx-vp9":
            context.bit_rate = 0  # else crf is only a lower bound
        stream.options = options
        context.thread_type = "AUTO"
        if self.format.tag is not None:
            context.codec_tag = self.format.tag
        if packer.has_matrix:
            context.color_primaries = context.color_trc = context.colorspace = BT709
            context.color_range = LIMITED_RANGE
        self._video, self._packer = stream, packer
        if self._sound is not None:
            self._sound.begin()

    def _codec(self, packer: PixelPacker) -> tuple[str, dict[str, str]]:
        """The encoder with its options: the graphics card's where that is wanted and opens."""
        entry = self.format
        options = dict(entry.options)
        crf = None if entry.crf is None else entry.crf[2] if self.settings.crf is None else self.settings.crf
        if crf is not None:
            options |= entry.quality(crf)
        if not self.settings.hardware:
            return entry.codec, options
        if entry.hardware is None or crf is None:
            why = "graphics cards have no encoder for it"
        else:
            on_card = hardware_options(crf)
            why = _why_closed(entry.hardware, packer, self.pix_fmt, self.settings.rate, on_card)
            if not why:
                return entry.hardware, on_card
        logging.warning("%s is encoded on the processor: %s.", self.settings.format, why)
        return entry.codec, options

    def _encode(self, image: av.VideoFrame) -> None:
        image.pts, image.time_base = self.written, 1 / self.settings.rate
        with (
            kept_priority() if self.written == 0 else contextlib.nullcontext()
        ):  # the first frame opens the encoder
            packets = self._video.encode(image)
        self._mux(packets)
        self.written += 1
        if self._sound is not None:  # alongside, so that neither waits for the other in the muxer's memory
            self._sound.write_until(float(self.written / self.settings.rate))

    def _mux(self, packets: list[av.Packet]) -> None:
        for packet in packets:
            # With one or two frames x265 leaves the decoding time to chance; such frames are in order.
            if packet.dts is None or not 0 <= packet.pts - packet.dts <= LARGEST_DELAY:
                packet.dts = packet.pts - 2
            self._container.mux(packet)


def _why_closed(codec: str, packer: PixelPacker, pix_fmt: str, rate: Fraction, options: dict) -> str:
    """Why an encoder does not open here; empty where it does."""
    try:
        context = av.CodecContext.create(codec, "w")
        context.width, context.height, context.pix_fmt = packer.width, packer.height, pix_fmt
        context.time_base, context.framerate, context.options = 1 / rate, rate, dict(options)
        context.open()
    except av.codec.codec.UnknownCodecError:
        return f"the installed PyAV has no {codec}"
    except (av.error.FFmpegError, ValueError) as error:
        return f"{codec} cannot be opened here ({error.__class__.__name__}), for want of a card or its driver"
    return ""


def _read_back(file: BinaryIO, url: str, flags: int, options: dict) -> BinaryIO:
    """What was written, to be read beside it."""
    file.flush()
    return open(file.name, "rb")  # PyAV closes it


def encode_h264(
    frames: Iterable[torch.Tensor],
    target: str | BinaryIO,
    fps: float,
    crf: float = 18.0,
    audio: dict | None = None,
    progress: Callable[[], None] | None = None,
) -> int:
    """Writes frames (H, W, 3), values 0..1, to an MP4 file or buffer as every browser plays it;
    returns how many were written.

    fps: frames per second, above 0. crf: 1 (best, large) to 51 (worst); 18 looks like the original. progress
    is called after each frame. Raises ValueError for no frames, or values out of range.
    """
    encoder = VideoEncoder(target, EncodeSettings("H.264 (mp4)", fps, crf), audio=audio)
    try:
        for frame in frames:
            encoder.write(frame)
            if progress is not None:
                progress()
        return encoder.finish()
    finally:
        encoder.abandon()
