"""Reads a window of a video straight into one tensor:
besides the result only the few frames that the decoder holds are in memory.

Times come from a first pass over the packets, which decodes nothing, so that the number of frames and the
memory they need are known before the first frame is decoded.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction

import av
import torch

from .decoded_frames import DecodedFrames, whole_frames
from .decoding_memory import check_decoding_video
from .frame_selection import DecodedVideo, FrameChunks, FrameSelection, ReadOptions
from .probe import KeyFrame, Source, VideoProbe, open_video, probe_by_decoding, probe_video, video_stream


def decode_selection(source: Source, options: ReadOptions | None = None) -> DecodedVideo:
    """Decode the wanted frames of a video, scaled while they are decoded.

    Raises ValueError for files that cannot be read, requests that leave nothing, and when the frames need
    more memory than is free.
    """
    options = options or ReadOptions()
    return _decode(source, options, lambda probe: FrameSelection(probe, options)).finished()


def decode_in_chunks(
    source: Source, options: ReadOptions, chunk: int, work: Callable[[torch.Tensor], object]
) -> tuple[list, DecodedVideo]:
    """What `work` makes of the wanted frames, `chunk` of them at a time (F, H, W, 3),
    and what was decoded, without the frames.

    Nothing but one chunk is ever in memory. Raises ValueError as decode_selection does.
    """
    if chunk < 1:
        raise ValueError(f"chunk_frames={chunk} must be 1 or more; 8 is usual.")
    chunks = _decode(source, options, lambda probe: FrameChunks(probe, options, chunk, work))
    done = chunks.finished()
    return chunks.results, done


def _decode(
    source: Source, options: ReadOptions, selection_of: Callable[[VideoProbe], FrameSelection]
) -> FrameSelection:
    """A selection with every frame in it that can be decoded;
    begun anew where the packets told a wrong number of frames.
    """

    def decode(probe: VideoProbe) -> tuple[FrameSelection, bool]:
        selection = selection_of(probe)
        check_decoding_video(probe, options.free_memory)
        with selection:
            reader = _Reader(source, probe, options.stop)
            for number, frame in reader.numbered(min(selection.numbers), max(selection.numbers)):
                selection.put(number, frame)
        return selection, reader.damaged

    selection, damaged = decode(probe_video(source, options.stop))
    if selection.missing and not (damaged or selection.probe.lost):
        selection = None  # frees its frames
        selection, _ = decode(probe_by_decoding(source, options.stop))
    return selection


def numbered_frames(
    source: Source, probe: VideoProbe, first: int, last: int, stop: Callable[[], None] = int
) -> Iterator[tuple[int, av.VideoFrame]]:
    """The decoded frames first..last with their numbers, one at a time; those that are damaged are missing.

    They are as stored: unturned, in the file's pixel format. Raises ValueError as probe_video does.
    """
    return _Reader(source, probe, stop).numbered(first, last)


class _Reader:
    """Decodes frames of a file by their numbers."""

    def __init__(self, source: Source, probe: VideoProbe, stop: Callable[[], None]) -> None:
        self.source, self.probe, self.stop = source, probe, stop
        self.damaged = False  # whether pictures were left out, the last time

    def numbered(self, first: int, last: int) -> Iterator[tuple[int, av.VideoFrame]]:
        """The decoded frames first..last with their numbers; interlaced ones made whole.

        Decoding begins at the key frame before the first one. Demuxers may go to behind it, and frames that
        build on others than it are left out: then it begins earlier, and at last at the start of the file."""
        for entry in self._entries(first):
            found = self._from(entry, first, last)
            head = next(found, None)
            if entry is None or (head is not None and head[0] == first):
                yield from itertools.chain([] if head is None else [head], found)
                return
            found.close()

    def _entries(self, first: int) -> Iterator[tuple[int, KeyFrame] | None]:
        """Where to begin, nearest first: a stamp to seek and the key frame to wait for; None = the start."""
        probe = self.probe
        wanted, shown = round(probe.times[first] / probe.tick), [key.pts for key in probe.keys]
        place = bisect.bisect_right(shown, wanted) - 1
        if place >= 0 and not probe.counted:
            yield probe.keys[place].pts, probe.keys[place]  # files with an index
            yield probe.keys[place].dts, probe.keys[place]  # transport streams
        back = 1 / probe.tick  # 1 s, 2 s, 4 s, ...
        while not probe.counted and (place := bisect.bisect_right(shown, wanted - back) - 1) >= 0:
            yield round(probe.keys[place].dts - back), probe.keys[place]
            back *= 2
        yield None

    def _from(
        self, entry: tuple[int, KeyFrame] | None, first: int, last: int
    ) -> Iterator[tuple[int, av.VideoFrame]]:
        """What of the frames first..last can be decoded from an entry on."""
        probe = self.probe
        number_of = {round(time / probe.tick): number for number, time in enumerate(probe.times)}
        with open_video(self.source) as container:
            stream = video_stream(container)
            stream.thread_type = "AUTO"
            if entry is not None and not _sought(container, stream, entry[0]):
                return
            span = entry and (entry[1].pts, round(probe.times[first] / probe.tick))
            frames = DecodedFrames(container, stream, self.stop, span)
            whole = whole_frames(frames)
            found = enumerate(whole) if probe.counted else _in_order(whole, number_of, probe.tick)
            if entry is not None:
                found = _begun_with(number_of[entry[1].pts], found)
            for number, frame in found:
                if number > last:
                    break
                if number >= first:
                    yield number, frame
            self.damaged = frames.damaged


def _sought(container: av.container.InputContainer, stream: av.VideoStream, stamp: int) -> bool:
    """Whether a file could be made to go on before a stamp."""
    try:
        container.seek(stamp, stream=stream, backward=True)
    except av.error.FFmpegError:
        return False
    return True


def _in_order(
    frames: Iterable[av.VideoFrame], number_of: dict[int, int], tick: Fraction
) -> Iterator[tuple[int, av.VideoFrame]]:
    """Pictures with the numbers of their stamps; where stamps go back they are no times of showing."""
    newest = -1
    for frame in frames:
        # The deinterlacer counts in a time base of its own.
        number = -1 if frame.pts is None else number_of.get(round(frame.pts * frame.time_base / tick), -1)
        if number > newest:
            newest = number
            yield number, frame


def _begun_with(key: int, found: Iterable[tuple[int, av.VideoFrame]]) -> Iterator[tuple[int, av.VideoFrame]]:
    """The frames from a key frame on; none where it is not shown: then parts are refreshed one by one."""
    for number, frame in found:
        if number > key:
            return
        if number == key:
            yield number, frame
            yield from found
