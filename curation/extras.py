"""The error that names the extra for what a stage needs and is not installed."""

from __future__ import annotations


def missing(what: str, *packages: str, extra: str = "curation") -> ValueError:
    """What to raise where packages of an extra are not there. what: that needs them."""
    return ValueError(
        f"{what} needs {' and '.join(packages)}, which is not installed; install the extra [{extra}] of this"
        f" pack, or: pip install {' '.join(packages)}"
    )
