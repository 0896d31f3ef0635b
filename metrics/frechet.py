"""The Frechet distance between two sets of features, taken as Gaussians.

Source: Dowson and Landau 1982; Heusel et al. 2017 (arXiv 1706.08500):
|m1 - m2|^2 + Tr(S1 + S2 - 2 (S1 S2)^1/2).
With S1 = A A^T and S2 = B B^T the last trace is the sum of the singular values of A^T B. That needs no square
root of a matrix that is not symmetric, and stays exact where there are fewer rows than features.
"""

from __future__ import annotations

import torch

from .moments import Moments


def frechet_distance(a: Moments, b: Moments) -> float:
    """Raises ValueError for fewer than two rows, and for different numbers of features."""
    if a.sum.shape != b.sum.shape:
        raise ValueError(
            f"features of different networks cannot be compared: {len(a.sum)} and {len(b.sum)} of them; take"
            " the same network for both sets."
        )
    one, other = a.covariance, b.covariance
    common = torch.linalg.svdvals(_root(one).T @ _root(other)).sum()
    apart = ((a.mean - b.mean) ** 2).sum()
    return max(0.0, float(apart + one.trace() + other.trace() - 2 * common))


def _root(covariance: torch.Tensor) -> torch.Tensor:
    """A of A A^T, (D, rank): what lies below the rounding of float64 is left out."""
    values, vectors = torch.linalg.eigh(covariance)
    kept = values > values[-1].clamp_min(0) * len(values) * torch.finfo(torch.float64).eps
    return vectors[:, kept] * values[kept].sqrt()


def few_warnings(what: str, counts: tuple[int, ...], features: int) -> tuple[str, ...]:
    """Why a distance of so many rows may mean little."""
    told = []
    if min(counts) < 2 * features:
        told.append(
            f"{min(counts)} {what} are few for {features} features: the number is too high, and only numbers"
            f" of the same n can be compared; take {2 * features} or more."
        )
    if len(set(counts)) > 1:
        told.append(
            f"the sets have different sizes ({' and '.join(map(str, counts))} {what}); the smaller one makes"
            " the number higher."
        )
    return tuple(told)
