"""Types and inputs that several nodes of this folder have."""

from __future__ import annotations

from comfy_api.latest import io

from ...motion_modules.cross_frame_attention import FIRST, SOURCES

MotionField = io.Custom("MOTION_FIELD")


def frames_read() -> list[io.Input]:
    """What frames read: the fields of CrossFrames."""
    return [
        io.Combo.Input(
            "keys_from",
            options=list(SOURCES),
            default=FIRST,
            tooltip=(
                "What every frame reads in place of itself: the first frame (as published), the one before"
                " it, both, or those named in frames."
            ),
        ),
        io.String.Input(
            "frames",
            default="0",
            tooltip=(
                "For chosen frames: their numbers, such as 0,8 or 0:16:4 or -1. Where a context window lacks"
                " one, the nearest to it is read."
            ),
        ),
    ]


def as_published() -> io.Boolean.Input:
    """The published code's numbers."""
    return io.Boolean.Input(
        "as_published",
        default=False,
        advanced=True,
        tooltip=(
            "The numbers of the published code, whose grid and noise are off by a little. Off = every place"
            " moves equally far, and noise is as strong as the sigmas say."
        ),
    )
