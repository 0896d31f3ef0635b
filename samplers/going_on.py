"""How a clip goes on, window after window: each begins with frames that are there already.

Letters: L frames of a window, O frames known at least, N new frames. New frames are counted from 0, so frame
-1 is the last one of the clip.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

START = 4.0
"""Noise over the last known frame, in its own spread, that leaves its layout and lets it move; measured with
latents of 16x16.
"""


@dataclass(frozen=True)
class GoingOnSettings:
    """What a person chooses. Raises ValueError with rule, value and remedy on settings that make no sense."""

    context_length: int = 16
    """Frames of a window, L."""
    context_overlap: int = 8
    """Known frames at the beginning of a window at least, O."""
    known_noise: float = 0.0
    """Noise of known frames as a part of that of the new ones."""
    start_noise: float = START
    """Noise over the last known frame that new frames begin as; 0 = they begin as noise alone."""

    def __post_init__(self) -> None:
        if self.context_length < 2:
            raise ValueError(
                f"context_length={self.context_length} must be at least 2; 16 is right for AnimateDiff."
            )
        if not 1 <= self.context_overlap < self.context_length:
            raise ValueError(
                f"context_overlap={self.context_overlap} must be at least 1 and smaller than"
                f" context_length={self.context_length}; half of it is usual."
            )
        if not 0 <= self.known_noise <= 1:
            raise ValueError(
                f"known_noise={self.known_noise} must be 0..1; 0 shows the known frames as they are."
            )
        if not 0 <= self.start_noise < math.inf:  # NaN compares as false
            raise ValueError(
                f"start_noise={self.start_noise} must be at least 0 and finite; {START:g} is usual, 0 begins"
                " with noise alone."
            )

    def start_level(self, height: int, width: int) -> float:
        """The noise level below which new frames are made, for latents of this size whose own spread is 1;
        infinite where they begin as noise alone.

        A part of the picture stays as visible as in latents of 16x16: means over four times as many pixels
        have half of the noise.

        >>> [GoingOnSettings(start_noise=noise).start_level(64, 64) for noise in (3.0, 0.0)]
        [12.0, inf]
        """
        return self.start_noise * math.sqrt(height * width) / 16 or math.inf

    def windows(self, num_frames: int, clip_frames: int) -> list[tuple[range, int]]:
        """Windows of N new frames behind a clip, and how many frames of each are known; the last one is moved
        back so that it is as long as the others, as far as the clip reaches.

        >>> GoingOnSettings(4, 2).windows(5, 9)
        [(range(-2, 2), 2), (range(0, 4), 2), (range(1, 5), 3)]
        """
        windows, done = [], 0
        while done < num_frames:
            start = max(min(done - self.context_overlap, num_frames - self.context_length), -clip_frames)
            stop = min(start + self.context_length, num_frames)
            windows.append((range(start, stop), done - start))
            done = stop
        return windows
