"""Only regular files are opened:
opening a pipe waits for someone who writes into it, and a device may never end.
"""

from __future__ import annotations

import os
import stat

from ..foreign_text import printable


def is_regular(path: str | os.PathLike) -> bool:
    """Whether a path leads to a regular file; a link that leads nowhere, or to itself, does not."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False


def check_regular(path: str | os.PathLike) -> None:
    """Raises ValueError for what is there and is neither a file nor a folder."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return  # whoever opens it says why that cannot be
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise ValueError(
            f"'{printable(os.path.basename(os.fspath(path)))}' is a pipe, socket or device, and only "
            f"files are opened; choose a file."
        )
