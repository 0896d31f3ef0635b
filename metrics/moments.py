"""Mean and covariance of features from sums that can be added up, on one machine or on many. D features."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Moments:
    """n rows, their sum (D,) and the sum of their outer products (D, D), in float64.

    The sums of two parts of a set, added, are those of the set: `a + b`.
    """

    n: int
    sum: torch.Tensor
    outer: torch.Tensor

    @classmethod
    def of(cls, features: torch.Tensor) -> Moments:
        """Of features (n, D). Raises ValueError for features that are not finite."""
        features = features.detach().cpu().double()
        if not bool(features.isfinite().all()):
            raise ValueError(
                "the features hold numbers that are not finite (NaN or infinity); the network's file or its"
                " frames are damaged, take others."
            )
        return cls(len(features), features.sum(0), features.T @ features)

    def __add__(self, other: Moments) -> Moments:
        if self.sum.shape != other.sum.shape:
            raise ValueError(
                f"sums of {len(self.sum)} and of {len(other.sum)} features cannot be added up; take the same"
                " network for both."
            )
        return Moments(self.n + other.n, self.sum + other.sum, self.outer + other.outer)

    @property
    def mean(self) -> torch.Tensor:
        """(D,)."""
        return self.sum / self.n

    @property
    def covariance(self) -> torch.Tensor:
        """(D, D), divided by n - 1. Raises ValueError for fewer than two rows."""
        if self.n < 2:
            raise ValueError(f"a covariance needs at least 2 of a set, got {self.n}; add more.")
        centred = self.outer - torch.outer(self.sum, self.sum) / self.n
        return (centred + centred.T) / (2 * (self.n - 1))
