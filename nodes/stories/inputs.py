"""The type that the nodes of this folder hand on, and the input for it."""

from __future__ import annotations

from comfy_api.latest import io

Storyboard = io.Custom("STORYBOARD")


def storyboard(tooltip: str, optional: bool = False) -> io.Input:
    """A storyboard of the node Storyboard."""
    return Storyboard.Input("storyboard", optional=optional, tooltip=tooltip)
