"""What a measure of clips is: it sees the frames of a clip one after the other, and gives columns of its row.

One pass over a clip's frames serves all measures.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import av

from ...video_io.decode import numbered_frames
from ..rows import Row
from ..stage import Stage
from ..videos import probed


@dataclass(frozen=True)
class ClipView:
    """What measures are told of a clip. aspect: width of a stored pixel divided by its height."""

    row: Row
    path: Path
    num_frames: int
    fps: float
    aspect: float


class ClipLook:
    """A measure at one clip."""

    def see(self, place: int, frame: av.VideoFrame) -> None:
        """A decoded frame, the place-th of the clip from 0 on."""

    def result(self) -> dict:
        """The columns. Raises ValueError where there is no number."""
        raise NotImplementedError


class Measure:
    """columns: names of what it adds."""

    columns: tuple[str, ...] = ()

    def setup(self) -> None:
        """Loads what it needs, once in each worker."""

    def begin(self, clip: ClipView) -> ClipLook:
        """The look at one clip."""
        raise NotImplementedError


class MeasureClips(Stage):
    """Gives clips the columns of several measures. A measure that fails, or gives no finite number, makes the
    row's error. name: of the stage, in messages."""

    def __init__(
        self, folder: Path, measures: Sequence[Measure], stop: Callable[[], None] = int,
        name: str = "measures",
    ) -> None:  # fmt: skip
        self.folder, self.measures, self.stop, self.name = folder, list(measures), stop, name

    def setup(self) -> None:
        for measure in self.measures:
            measure.setup()

    def rows_of(self, row: Row) -> Iterable[Row]:
        path = self.folder / row["source"]
        probe = probed(path)
        fps = row["frames"] / row["seconds"] if row["seconds"] > 0 else row["fps"]
        clip = ClipView(row, path, row["frames"], fps, probe.aspect)
        looks = [measure.begin(clip) for measure in self.measures]
        seen = 0
        for number, frame in numbered_frames(path, probe, row["first"], row["last"], self.stop):
            for look in looks:
                look.see(number - row["first"], frame)
            seen += 1
        if seen < row["frames"]:
            raise ValueError(
                f"{row['frames'] - seen} of its {row['frames']} frames cannot be decoded: the file is"
                " damaged; repair it."
            )
        found = {}
        for look in looks:
            found |= look.result()
        for name, value in found.items():
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f"{name} is {value}, no finite number.")
        yield row | found
