"""The input by which a node knows that a batch holds several videos."""

from __future__ import annotations

from comfy_api.latest import io


def frames_per_video(tooltip: str) -> io.Int.Input:
    """Frames of each video of a batch, 0 where all of them are one."""
    return io.Int.Input(
        "frames_per_video",
        display_name="frames_per_video (0 = all)",
        default=0,
        min=0,
        max=4096,
        advanced=True,
        tooltip=tooltip,
    )
