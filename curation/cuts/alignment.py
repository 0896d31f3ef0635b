"""How alike two small pictures are where one is shifted against the other.

The normalised cross-correlation of what overlaps, for all shifts at once by FFT (Lewis 1995, Fast normalized
cross-correlation). A camera that moves shifts a picture, a cut does not. Letters: H height, W width.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LEAST_OVERLAP = 0.5
LEAST_VARIANCE = 1e-5
"""Of values in 0..1; a picture below it is flat, and like nothing."""


@dataclass(frozen=True)
class Alignment:
    """correlation: -1..1 at the best shift. shift: (down, right) in pixels by which the second picture has
    to be moved to lie on the first."""

    correlation: float
    shift: tuple[int, int]


class Spectrum:
    """A grey picture (H, W), 0..1, made ready to be compared."""

    def __init__(self, picture: np.ndarray) -> None:
        self.picture = picture.astype(np.float32)
        self.centred = self.picture - self.picture.mean()
        self.wide = tuple(2 * side for side in picture.shape)
        self.plain, self.squared = (np.fft.rfft2(values, self.wide) for values in
                                    (self.centred, self.centred * self.centred))  # fmt: skip


class Aligner:
    """Compares pictures of one size; keeps what depends on the size only."""

    def __init__(self, height: int, width: int) -> None:
        self.shape = height, width
        wide = 2 * height, 2 * width
        self.ones = np.fft.rfft2(np.ones(self.shape, np.float32), wide)
        count = np.fft.irfft2(self.ones * np.conj(self.ones), wide)
        self.allowed = count >= LEAST_OVERLAP * height * width
        self.count = count.clip(1)

    def align(self, one: Spectrum, other: Spectrum) -> Alignment:
        """The shift at which two pictures are most alike."""
        turned = np.conj(self.ones)
        products = np.stack(
            [one.plain * np.conj(other.plain), one.plain * turned, one.squared * turned,
             self.ones * np.conj(other.plain), self.ones * np.conj(other.squared)]
        )  # fmt: skip
        both, first, first_squared, second, second_squared = np.fft.irfft2(products, one.wide) / self.count
        spread = (first_squared - first * first).clip(LEAST_VARIANCE)
        spread *= (second_squared - second * second).clip(LEAST_VARIANCE)
        found = np.where(self.allowed, (both - first * second) / np.sqrt(spread), -1)
        place = np.unravel_index(found.argmax(), found.shape)
        shift = tuple(
            int(at) if at < side else int(at) - 2 * side
            for at, side in zip(place, self.shape, strict=True)
        )  # fmt: skip
        return Alignment(float(found[place]), shift)


def overlap(one: np.ndarray, other: np.ndarray, shift: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The parts of two pictures that lie on each other when the second one is moved by (down, right)."""
    slices = [
        (slice(max(0, by), side + min(0, by)), slice(max(0, -by), side - max(0, by)))
        for by, side in zip(shift, one.shape, strict=True)
    ]
    return one[slices[0][0], slices[1][0]], other[slices[0][1], slices[1][1]]
