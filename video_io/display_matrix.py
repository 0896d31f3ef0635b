"""How a picture has to be turned and mirrored to be seen as it was taken:
the display matrix that phones write.

Source: ISO/IEC 14496-12, 6.2.2 (matrix in 'tkhd' and 'mvhd'):
a stored point (x, y) is shown at (a x + c y, b x + d y).
"""

from __future__ import annotations

from dataclasses import dataclass

import av
import numpy as np


@dataclass(frozen=True)
class Turn:
    """Quarter turns and mirrorings, as a transposition followed by flips."""

    transposed: bool = False
    flip_x: bool = False
    flip_y: bool = False

    def apply(self, frame: np.ndarray) -> np.ndarray:
        """A stored picture (H, W, C) as it is shown, (W, H, C) where it is transposed;
        a view of the same memory.
        """
        frame = frame.swapaxes(0, 1) if self.transposed else frame
        return frame[:: -1 if self.flip_y else 1, :: -1 if self.flip_x else 1]


def turn_of(frame: av.VideoFrame) -> Turn:
    """What the display matrix beside a frame says, to the nearest quarter turn; no turn without one."""
    entry = frame.side_data.get("DISPLAYMATRIX")
    if entry is None:
        return Turn()
    a, b, _, c, d = np.frombuffer(bytes(entry), np.int32)[:5].tolist()
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Turn(False, a < 0, d < 0)
    return Turn(True, c < 0, b < 0)
