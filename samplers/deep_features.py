"""Deep features of a UNet, kept from one sampling step for the steps behind it.

The deep blocks of a UNet see a picture coarsely, and what they make of it differs little from step to step. A
whole step computes every block. A short step computes the outer blocks only, `depth` of them at each end, and
takes what the others made in the last whole step. 12 blocks at each end, depth 2:

    whole    input 0 to 11, middle, output 0 to 9, 10, 11      what goes into output 10 is kept
    short    input 0, 1              what was kept, output 10, 11

Source: Ma, Fang, Wang 2023 (DeepCache), arXiv 2312.00858, section 3: one whole step, N - 1 short ones, and so
on. Their code counts branches from 0, depth counts from 1. Ours: features are kept for each conditioning and
window on its own, and a call of the network is short only where all that it needs is there.

Letters: F frames of a conditioning in a call, C channels, H height, W width.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import torch

Key = tuple[Hashable, int]
"""What a feature belongs to, and its number among equal ones in one evaluation of the model."""


@dataclass(frozen=True)
class ReuseSettings:
    """What a person chooses. Raises ValueError for settings that make no sense."""

    interval: int = 2
    """One step in so many is whole; 1 = all."""
    depth: int = 1
    """Blocks at each end of the network that every step computes."""
    start_percent: float = 0.0
    end_percent: float = 1.0

    def __post_init__(self) -> None:
        for name in ("interval", "depth"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} must be at least 1; raise it.")
        if not 0 <= self.start_percent < self.end_percent <= 1:
            raise ValueError(
                f"start_percent={self.start_percent} must be smaller than end_percent={self.end_percent},"
                " both within 0 and 1; 0 and 1 are the whole run."
            )


@dataclass(frozen=True)
class Kept:
    """A feature (F, C, H, W) of a whole step. state: what a step must have in common with it."""

    step: int
    state: Hashable
    feature: torch.Tensor


class KeptFeatures:
    """The features that one sampling run keeps."""

    def __init__(self, interval: int) -> None:
        self.interval = interval
        self._kept: dict[Key, Kept] = {}
        self._seen: Counter = Counter()

    def begin_evaluation(self) -> None:
        """The sampler asks for the next evaluation of the model: equal names are counted from 0 again.

        Conditionings of several areas have one name, and guidance of other nodes evaluates one twice.
        """
        self._seen.clear()

    def keys(self, names: Sequence[Hashable]) -> list[Key]:
        """The keys of what is evaluated in one call of the network, in its order."""
        keys = []
        for name in names:
            keys.append((name, self._seen[name]))
            self._seen[name] += 1
        return keys

    def reusable(self, keys: Sequence[Key], step: int, state: Hashable) -> list[torch.Tensor] | None:
        """The features of a short step; None where the step is whole: one of them is missing, as old as the
        interval, of this very step, or of another state.
        """
        found = [self._kept.get(key) for key in keys]
        fits = all(
            kept is not None and 0 < step - kept.step < self.interval and kept.state == state
            for kept in found
        )
        return [kept.feature for kept in found] if fits else None

    def keep(self, keys: Sequence[Key], step: int, state: Hashable, features: Sequence[torch.Tensor]) -> None:
        """Keeps the features of a whole step, and drops those that no step can use any more."""
        for key in [key for key, kept in self._kept.items() if not 0 <= step - kept.step < self.interval]:
            del self._kept[key]
        for key, feature in zip(keys, features, strict=True):
            self._kept[key] = Kept(step, state, feature)

    def clear(self) -> None:
        """Drops all features."""
        self._kept.clear()
