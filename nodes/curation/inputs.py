"""Types and outputs that several nodes of this folder have."""

from __future__ import annotations

from comfy_api.latest import io

VideoClips = io.Custom("VIDEO_CLIPS")


def clips_input(tooltip: str = "From Split Into Shots, or any node behind it.") -> io.Input:
    """The clips that a node takes."""
    return VideoClips.Input("clips", tooltip=tooltip)


def clips_output() -> io.Output:
    """The clips that a node puts out."""
    return VideoClips.Output("VIDEO_CLIPS", tooltip="The clips, with what is known of them.")


def told_output(tooltip: str = "How many clips are in, and what is lost.") -> io.Output:
    """What became of the clips, in words."""
    return io.String.Output("STRING", tooltip=tooltip)
