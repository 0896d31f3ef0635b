"""The stages from a source video to its clips: probe, cuts, clips of a sensible length."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..video_io.decode import numbered_frames
from ..video_io.probe import VideoProbe
from .cuts.cut import Cut, merged, shots_between
from .cuts.detectors import detector_of
from .rows import DROPPED, Row, clip_id, source_id
from .settings import Settings
from .stage import Stage
from .videos import SmallFrames, counted, end_of, probed, shown_size

DAMAGED = "damaged"
SHORT, EMPTY = "too short", "no picture"


class Probe(Stage):
    """Says what a source holds: `source_id`, `fps`, `frames`, `seconds`, `codec`, `sound`, `varies`."""

    name = "probe"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def rows_of(self, row: Row) -> Iterable[Row]:
        path = self.folder / row["source"]
        probe = probed(path)
        told = {
            "source_id": source_id(row["source"], path),
            "fps": round(probe.fps, 6),
            "source_frames": probe.num_frames,
            "source_seconds": round(probe.end - probe.times[0], 6),
            "codec": probe.codec,
            "sound": probe.has_audio,
        }
        told |= {"cut_off_frames": probe.lost} if probe.lost else {}
        yield row | told


@dataclass
class Scanned:
    """What one pass over a video finds."""

    cuts: list[Cut]
    size: tuple[int, int]  # as shown


class FindClips(Stage):
    """Cuts a source into clips: `id`, `first`, `last` (frames), `begin`, `end`, `seconds`, `width`, `height`.

    Shots below the shortest length are dropped, those beyond the longest become several of even length.
    """

    name = "cuts"

    def __init__(self, folder: Path, settings: Settings, stop: Callable[[], None] = int) -> None:
        self.folder, self.settings, self.stop = folder, settings, stop

    def setup(self) -> None:
        self.detector = detector_of(self.settings.cuts)

    def rows_of(self, row: Row) -> Iterator[Row]:
        path = self.folder / row["source"]
        probe = probed(path)
        scanned = self.scan(path, probe)
        margin = round(self.settings.cuts.margin * probe.fps)
        source = {name: row[name] for name in row if name not in ("bytes", "changed")}
        source |= {"width": scanned.size[0], "height": scanned.size[1]}
        shots = shots_between(scanned.cuts, probe.num_frames, margin)
        if not shots:
            yield source | {"id": clip_id(row["source_id"], probe.times[0], probe.end), DROPPED: EMPTY}
        for shot in shots:
            yield from self._clips(source, probe, shot)

    def scan(self, path: Path, probe: VideoProbe) -> Scanned:
        """The cuts of a video, and its size. Raises ValueError where nothing can be decoded."""
        numbers: list[int] = []
        sizes: list[tuple[int, int]] = []
        small = SmallFrames()

        def pictures() -> Iterator[np.ndarray]:
            frames = numbered_frames(path, probe, 0, probe.num_frames - 1, self.stop)
            for frame in counted(frames, numbers):
                if not sizes:
                    sizes.append(shown_size(frame, probe.aspect))
                yield small.stored(frame, *self.detector.size)

        found = self.detector.find(pictures(), probe.fps)
        if not numbers:
            raise ValueError("none of its frames can be decoded; the file is damaged.")
        return Scanned(_numbered(found, numbers, probe.num_frames), sizes[0])

    def _clips(self, source: Row, probe: VideoProbe, shot: tuple[int, int]) -> Iterator[Row]:
        first, last = shot
        seconds = end_of(probe, last) - probe.times[first]
        longest, shortest = self.settings.clips.longest, self.settings.clips.shortest
        count = math.ceil(seconds / longest - 1e-6) if longest else 1
        count = max(1, min(count, last - first + 1))
        bounds = [first + round(part * (last - first + 1) / count) for part in range(count + 1)]
        for begin, behind in zip(bounds, bounds[1:], strict=False):
            row = clip_row(source, probe, begin, behind - 1)
            if row["seconds"] < shortest - 1e-6:
                row[DROPPED] = SHORT
            yield row


def clip_row(source: Row, probe: VideoProbe, first: int, last: int) -> Row:
    """The row of the clip of frames first..last of a source."""
    begin, end = probe.times[first], end_of(probe, last)
    times = {"begin": round(begin, 6), "end": round(end, 6), "seconds": round(end - begin, 6)}
    identity = {"id": clip_id(source["source_id"], begin, end), "source": source["source"]}
    return identity | source | {"first": first, "last": last, "frames": last - first + 1} | times


def _numbered(cuts: list[Cut], numbers: list[int], num_frames: int) -> list[Cut]:
    """Cuts by places in what was decoded as cuts by numbers of frames; what is missing is cut out."""
    bounds = [-1, *numbers, num_frames]
    gaps = [
        Cut(before + 1, after - 1, DAMAGED)
        for before, after in zip(bounds, bounds[1:], strict=False)
        if after > before + 1
    ]  # fmt: skip
    if not gaps:
        return cuts
    shown = [*numbers, num_frames]
    found = [Cut(shown[cut.first], shown[cut.first] - 1 if cut.is_hard else shown[cut.last], cut.kind)
             for cut in cuts]  # fmt: skip
    return merged(found + gaps)
