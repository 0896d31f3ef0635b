"""Whether a camera control fits the motion module that it is put on."""

from __future__ import annotations

import re

from ...foreign_text import printable
from ..animatediff.layers import MotionConfig
from ..file_tensors import StateDict

_SITE = re.compile(r"^(.+?\.motion_modules\.\d+)\.temporal_transformer\.transformer_blocks\.0\.")


def site_of(key: str) -> str | None:
    """The published name of the site that a key belongs to; None for other keys."""
    match = _SITE.match(key)
    return match and match[1]


def check_sites(tensors: StateDict, part: str, motion: MotionConfig, file_name: str) -> None:
    """Raises ValueError where a control steers a site that a module lacks, or one of another width.

    part: the name below a site's transformer block of a weight whose first axis is the width C.
    """
    for key, value in tensors.items():
        site = site_of(key)
        if site is None or not key.endswith(f".transformer_blocks.0.{part}") or value.ndim != 2:
            continue
        have = motion.site_channels.get(site)
        if have != value.shape[0]:
            raise ValueError(
                f"'{printable(file_name)}' steers a module of {value.shape[0]} channels at "
                f"'{printable(site)}', this one has {have or 'nothing there'}; use the module that it was "
                "trained on, v3_sd15_mm.ckpt."
            )
