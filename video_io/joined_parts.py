"""Where the parts of a file belong whose times begin anew within it, as in joined transport streams.

The pictures of such a file are counted at their rate from the first one on; the sound of each part goes with
the part's own first picture. Times are in seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import av

from .probe import Source, open_video, video_stream


@dataclass
class _Parts:
    """The parts of one stream: how many packets come before each, and the earliest stamp in each."""

    before: list[int] = field(default_factory=list)
    earliest: list[float] = field(default_factory=list)
    packets: int = 0
    last: float | None = None

    def add(self, packet: av.Packet) -> None:
        stamp, shown = stamp_of(packet), packet.pts if packet.pts is not None else packet.dts
        if stamp is not None:
            time = float(shown * packet.time_base)
            if begins_anew(self.last, stamp):
                self.before.append(self.packets)
                self.earliest.append(time)
            self.earliest[-1] = min(self.earliest[-1], time)
            self.last = stamp
        self.packets += 1


def stamp_of(packet: av.Packet) -> float | None:
    """When a packet is decoded, which grows from one to the next; None where the file does not say."""
    stamp = packet.dts if packet.dts is not None else packet.pts
    return None if stamp is None else float(stamp * packet.time_base)


def begins_anew(last: float | None, stamp: float) -> bool:
    """Whether a part begins with this stamp, the first one included."""
    return last is None or stamp < last


class PartShifts:
    """What is to be added to the stamps of each packet of a track, asked in their order."""

    def __init__(self, shifts: list[float]) -> None:
        self._shifts, self._part, self._last = shifts, -1, None

    def __call__(self, packet: av.Packet) -> float:
        if (stamp := stamp_of(packet)) is not None:
            self._part += begins_anew(self._last, stamp)
            self._last = stamp
        return self._shifts[min(max(self._part, 0), len(self._shifts) - 1)]


def part_shifts(source: Source, sound: int, stop: Callable[[], None]) -> list[float]:
    """What is to be added to the stamps of each part of sound track number `sound`.

    One for all where sound and pictures have different numbers of parts."""
    with open_video(source) as container:
        frames = video_stream(container)
        rate = float(frames.guessed_rate or frames.average_rate or 1)
        shown, heard = _Parts(), _Parts()
        parts = {frames.index: shown, sound: heard}
        try:
            for packet in container.demux():
                stop()
                if packet.size and packet.stream.index in parts:
                    parts[packet.stream.index].add(packet)
        except av.error.FFmpegError:  # reading the sound comes to the same place and tells it
            pass
    if len(shown.before) != len(heard.before):
        return [-shown.earliest[0] if shown.earliest else 0.0]
    return [before / rate - earliest for before, earliest in zip(shown.before, shown.earliest, strict=True)]
