"""Camera paths around a thing: the elevation and azimuth of every view of an orbit, in degrees.

Source: Voleti et al. 2024 (SV3D), arXiv 2403.12008, section 3 (static and dynamic orbits);
github.com/Stability-AI/generative-models (scripts/sampling/simple_video_sample.py) fixes that view i of n
stands at azimuth 360 (i + 1) / n, so that the last one is the image's.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from ..foreign_text import printable

FREQUENCIES = 3  # sinusoids that a dynamic orbit's elevation is made of
AZIMUTH_NOISE = 0.3  # of the angle between two views

Orbit = tuple[list[float], list[float]]
"""Elevations -90..90 and azimuths 0..360 (degrees), one of each for every view."""


def static_orbit(num_views: int, elevation: float, swing: float, seed: int) -> Orbit:
    """Views at equal angles and one elevation; swing and seed are not used."""
    return [elevation] * num_views, _azimuths(num_views)


def sine_orbit(num_views: int, elevation: float, swing: float, seed: int) -> Orbit:
    """Views at equal angles, whose elevation goes swing degrees up, down and back once; seed is not used."""
    waves = [math.sin(2 * math.pi * time) for time in _times(num_views)]
    return [_held(elevation + swing * wave) for wave in waves], _azimuths(num_views)


def dynamic_orbit(num_views: int, elevation: float, swing: float, seed: int) -> Orbit:
    """Views at uneven angles, whose elevation is a random sum of sinusoids of at most swing degrees;
    the last is the image's view.
    """
    generator = torch.Generator().manual_seed(seed)
    weights = torch.rand(FREQUENCIES, generator=generator, dtype=torch.float64) * 2 - 1
    weights = (weights / weights.abs().sum()).tolist()
    noise = (
        (torch.rand(num_views, generator=generator, dtype=torch.float64) * 2 - 1)
        * AZIMUTH_NOISE
        * 360
        / num_views
    )
    noise[-1] = 0.0
    elevations = [
        _held(
            elevation + swing * sum(w * math.sin(2 * math.pi * (k + 1) * time) for k, w in enumerate(weights))
        )
        for time in _times(num_views)
    ]
    return elevations, [
        azimuth + shift for azimuth, shift in zip(_azimuths(num_views), noise.tolist(), strict=True)
    ]


ORBITS: dict[str, Callable[[int, float, float, int], Orbit]] = {
    "static": static_orbit,
    "sine": sine_orbit,
    "dynamic": dynamic_orbit,
}
"""Name -> function of (number of views, elevation, swing, seed)."""


def create_orbit(name: str, num_views: int, elevation: float, swing: float = 0.0, seed: int = 0) -> Orbit:
    """An orbit of the registry. elevation: of the image, -90..90 degrees;
    swing: how far it goes up and down, in degrees.

    Raises ValueError for a name that is not there, no views, and angles out of range.
    """
    if name not in ORBITS:
        raise ValueError(
            f"orbit='{printable(name)}' must be one of {', '.join(ORBITS)}; choose one of these."
        )
    if num_views < 1:
        raise ValueError(f"num_frames={num_views} must be at least 1; SV3D was trained with 21.")
    if not -90 <= elevation <= 90 or not 0 <= swing <= 90:
        raise ValueError(
            f"elevation={elevation} must be -90 to 90 degrees and elevation_swing={swing} 0 to 90; 0 is level"
            " with the thing."
        )
    return ORBITS[name](num_views, float(elevation), float(swing), seed)


def _times(num_views: int) -> list[float]:
    """Part of the turn behind each view; the last is whole."""
    return [(view + 1) / num_views for view in range(num_views)]


def _azimuths(num_views: int) -> list[float]:
    return [360 * time % 360 for time in _times(num_views)]


def _held(elevation: float) -> float:
    return min(90.0, max(-90.0, elevation))
