"""How a clip goes on, window after window: each begins with frames that are there already.

Letters: L frames of a window, O frames known at least, N new frames. New frames are counted from 0, so frame
-1 is the last one of the clip.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class GoingOnSettings:
    """What a person chooses. Raises ValueError with rule, value and remedy on settings that make no sense."""

    context_length: int = 16
    """Frames of a window, L."""
    context_overlap: int = 8
    """Known frames at the beginning of a window at least, O."""
    known_noise: float = 0.0
    """Noise of known frames as a part of that of the new ones."""

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
