"""Inputs that several nodes of this folder have."""

from __future__ import annotations

from comfy_api.latest import io

from ...samplers.over_frames.prompts import READ_AS

Floats = io.Custom("FLOATS")  # core's type for a list of numbers


def num_frames(tooltip: str) -> io.Int.Input:
    """How many frames something is made for."""
    return io.Int.Input("num_frames", default=16, min=1, max=65536, tooltip=tooltip)


def loop(tooltip: str) -> io.Boolean.Input:
    """Whether the end goes over into the beginning."""
    return io.Boolean.Input("loop", default=False, tooltip=tooltip)


def read_as(differences: str) -> io.Combo.Input:
    """Which pack's reading of a text is meant."""
    return io.Combo.Input(
        "read_as",
        options=list(READ_AS),
        advanced=True,
        tooltip=f"Zoetrope = as the help page says. For texts of old workflows: {differences}",
    )
