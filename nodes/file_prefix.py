"""The widget of nodes that write a file of weights."""

from __future__ import annotations

from comfy_api.latest import io


def prefix_input(default: str) -> io.Input:
    """Where the file goes, below ComfyUI's output folder."""
    return io.String.Input(
        "filename_prefix",
        default=default,
        tooltip=(
            "Where in the output folder: an optional sub-folder and the beginning of the name;"
            " %date:yyyy-MM-dd% works as in Save Video."
        ),
    )
