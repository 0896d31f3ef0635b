"""Inputs and outputs that several nodes of this folder have."""

from __future__ import annotations

from comfy_api.latest import io

OpticalFlow = io.Custom("OPTICAL_FLOW")  # ComfyUI's own type, from Load Optical Flow Model
FRAMES = "IMAGE, LATENT or MASK"


def any_frames() -> io.MatchType.Template:
    """One kind of frames for all sockets of a node."""
    return io.MatchType.Template("frames", [io.Image, io.Latent, io.Mask])


def num_frames(tooltip: str) -> io.Int.Output:
    """How many frames a node puts out."""
    return io.Int.Output("num_frames", display_name="num_frames", tooltip=tooltip)


def clips(tooltip: str) -> io.Autogrow.Input:
    """Up to 16 clips; a new socket appears as one is wired."""
    template = io.Autogrow.TemplatePrefix(io.Image.Input("clip"), prefix="clip", min=1, max=16)
    return io.Autogrow.Input("clips", template=template, tooltip=tooltip)


def labels(tooltip: str) -> io.String.Input:
    """A line of text for each clip."""
    return io.String.Input("labels", default="", multiline=True, tooltip=tooltip)
