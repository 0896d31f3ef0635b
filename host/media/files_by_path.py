"""Videos and sound of files that people name by their paths (host/files/allowed_paths.py)."""

from __future__ import annotations

from comfy_api.latest import InputImpl

from ...foreign_text import printable
from ...video_io.probe import open_video, video_stream
from ...video_io.sound import read_sound_file
from ..files.allowed_paths import find_path
from .image_sources import file_state
from .video import free_memory, stop


def video_of_path(path: str):
    """A VIDEO. Raises ValueError for a path that may not be read and for what is no video, before it is used
    by a node that would follow lists of other files.
    """
    found = find_path(path)
    with open_video(found) as container:
        video_stream(container)
    return InputImpl.VideoFromFile(str(found))


def sound_of_path(path: str, start_seconds: float, duration_seconds: float) -> tuple[dict, float]:
    """(AUDIO, its seconds). Raises ValueError for a path that may not be read and a file without sound."""
    found = find_path(path)
    audio = read_sound_file(found, start_seconds, duration_seconds, stop, free_memory)
    if audio is None:
        raise ValueError(f"'{printable(found.name)}' has no sound that can be decoded; choose another file.")
    return audio, audio["waveform"].shape[-1] / audio["sample_rate"]


def path_fingerprint(path: str | None) -> str:
    """Changes when the file does; a path that comes over a link is not known yet."""
    if path is None:
        return ""
    found = find_path(path)
    return f"{found} {file_state(found)}"
