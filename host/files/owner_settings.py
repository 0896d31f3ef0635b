"""Settings that only the person who runs ComfyUI can change: files of ComfyUI's user folder that no route of
ComfyUI reads or writes. A workflow that somebody shared cannot widen what they allow.
"""

from __future__ import annotations

from pathlib import Path

import folder_paths

from ...foreign_text import printable


def settings_file(name: str) -> Path:
    return Path(folder_paths.get_system_user_directory("zoetrope")) / name


def shown_file(name: str) -> str:
    """The settings file as messages name it: from the user folder on."""
    return "/".join(settings_file(name).parts[-3:])


def lines_of(name: str) -> list[tuple[int, str]]:
    """(number from 1, text) of the lines that say something; # begins a comment. None without a file.
    Raises ValueError for a file that cannot be read.
    """
    try:
        lines = settings_file(name).read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{shown_file(name)} cannot be read ({printable(str(error), 80)}); save it as a text in UTF-8."
        ) from error
    told = ((number, line.strip()) for number, line in enumerate(lines, 1))
    return [(number, line) for number, line in told if line and not line.startswith("#")]
