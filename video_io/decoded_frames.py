"""The decoded pictures of an open video, one after the other: past damage, with what lies beside them,
interlaced ones made whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import av

ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
"""Codecs whose transparency lies beside the pictures, where only these decoders look."""


class DecodedFrames:
    """Iterates over the pictures of a stream from where the container stands, in the order of showing; `stop`
    may raise between packets.

    After an error of the decoder, pictures up to the next key frame are left out: decoders show old or grey
    parts in them. With a `span` of stamps, decoding begins at a key frame in it, or never.
    """

    def __init__(
        self, container: av.container.InputContainer, stream: av.VideoStream, stop: Callable[[], None] = int,
        span: tuple[int, int] | None = None,
    ) -> None:  # fmt: skip
        self.container, self.stream, self.stop, self.span = container, stream, stop, span
        self.damaged = False  # whether anything was left out

    def __iter__(self) -> Iterator[av.VideoFrame]:
        decoder = decoder_with_alpha(self.stream) or self.stream.codec_context
        broken = False
        for packet in self._packets():
            try:
                frames = decoder.decode(packet)
            except MemoryError:
                raise
            except av.error.FFmpegError:
                self.damaged = broken = True
                continue
            for frame in frames:
                broken = broken and not frame.key_frame
                if not (broken or frame.is_corrupt):
                    yield frame

    def _packets(self) -> Iterator[av.Packet]:
        entered = self.span is None
        try:
            for packet in self.container.demux(self.stream):
                self.stop()
                if not entered and packet.is_keyframe and packet.pts is not None:
                    entered = packet.pts >= self.span[0]
                    if packet.pts > self.span[1]:
                        return
                if entered:
                    yield packet
        except MemoryError:
            raise
        except av.error.FFmpegError:
            self.damaged = True


def decoder_with_alpha(stream: av.VideoStream) -> av.CodecContext | None:
    """A decoder that also reads the transparency beside the pictures, where there is some."""
    name = ALPHA_DECODERS.get(stream.codec_context.name)
    if name is None or tag_of(stream, "alpha_mode") != "1" or name not in av.codec.codecs_available:
        return None
    decoder, given = av.CodecContext.create(name, "r"), stream.codec_context
    decoder.extradata = given.extradata
    for tag in ("color_primaries", "color_trc", "colorspace", "color_range"):
        setattr(decoder, tag, getattr(given, tag))
    return decoder


def tag_of(stream: av.VideoStream, name: str) -> str:
    """A tag of a stream, or of its file where the stream lacks it; empty where neither has it.

    Matroska's header names it in small letters, its tags, which programs write and copy, in capitals."""
    for tags in (stream.metadata, stream.container.metadata):
        for key, text in tags.items():
            if key.lower() == name:
                return text.strip()
    return ""


def whole_frames(frames: Iterable[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    """The same pictures, deinterlaced from the first interlaced one on where they are interlaced."""
    graph = None
    for frame in frames:
        if graph is None and frame.interlaced_frame:
            graph = av.filter.Graph()
            chain = [
                graph.add_buffer(
                    width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
                )
            ]
            chain += [graph.add("yadif", "mode=send_frame:deint=interlaced"), graph.add("buffersink")]
            for before, after in zip(chain, chain[1:], strict=False):
                before.link_to(after)
            graph.configure()
        if graph is None:
            yield frame
            continue
        graph.push(frame)
        yield from _pull(graph)
    if graph is not None:
        graph.push(None)
        yield from _pull(graph)


def _pull(graph) -> Iterator[av.VideoFrame]:
    while True:
        try:
            yield graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
