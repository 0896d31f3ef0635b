"""A model that writes captions, by what its file or folder holds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from ...foreign_text import printable
from . import blip2, coca


class Captioner(Protocol):
    """takes_videos: whether it may be given several pictures. network: once it is set up."""

    takes_videos: bool
    network: torch.nn.Module

    def setup(self, dtype: torch.dtype = torch.float32) -> None:
        """Loads it on the CPU. Raises ValueError where something is missing."""

    def __call__(self, pictures: Sequence[np.ndarray]) -> str:
        """The text of pictures (H, W, 3), uint8, of one clip in their order."""


def captioner_of(path: Path, prompt: str = "", length: int = 40, of_videos: bool = False) -> Captioner:
    """The captioner of a file or folder, not loaded yet. prompt, length: as Blip2; CoCa has no prompt.

    Raises ValueError for what is none, and for one that takes no videos where of_videos is wanted."""
    path = Path(path)
    if not path.exists():
        raise ValueError(
            f"there is no captioner '{printable(path.name)}' in the folder '{printable(str(path.parent))}';"
            f" people get {blip2.PUBLISHED}, and for pictures {coca.PUBLISHED}."
        )
    if path.is_dir() and blip2.is_blip2(path):
        return blip2.Blip2(path, prompt, length)
    if path.is_file() or coca.is_coca(path):
        if of_videos:
            raise ValueError(
                f"'{printable(path.name)}' is a CoCa, which describes one picture; for videos get"
                f" {blip2.PUBLISHED}."
            )
        return coca.CoCa(path, length)
    raise ValueError(
        f"'{printable(path.name)}' is no captioner: its config.json names no {blip2.MODEL_TYPE}, and it has"
        f" no weights of a CoCa; get {blip2.PUBLISHED}, or for pictures {coca.PUBLISHED}."
    )
