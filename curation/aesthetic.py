"""LAION's aesthetic heads on the image features of a CLIP ViT-L/14: the networks of metrics/, for rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from ..foreign_text import printable
from ..metrics.networks.aesthetic_heads import WIDTHS
from ..metrics.networks.files import KINDS, network_of
from .weights import read_weights

HEADS = [kind for kind in KINDS.values() if kind.name.startswith("aesthetic head")]
PUBLISHED = " or ".join(kind.file for kind in HEADS)


class AestheticHead:
    """file: of either version. Raises ValueError in `setup` for what is neither."""

    def __init__(self, file: Path) -> None:
        self.file, self.network = Path(file), None

    def setup(self) -> None:
        """Reads the weights."""
        tensors = read_weights(self.file, "the aesthetic score", PUBLISHED)
        kind, self.network = network_of(tensors, self.file.name)
        if kind not in HEADS:
            raise ValueError(
                f"'{printable(self.file.name)}' is {kind.description}, the aesthetic score takes {PUBLISHED}."
            )

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Features (n, D) of length 1 as n scores, about 1 to 10. Raises ValueError for another D."""
        values = torch.from_numpy(np.asarray(features, np.float32))
        if values.shape[-1] != WIDTHS[0]:
            raise ValueError(
                f"the aesthetic head takes features of {WIDTHS[0]} numbers, and this CLIP gives"
                f" {values.shape[-1]}; use the CLIP ViT-L/14."
            )
        with torch.inference_mode():
            return self.network(values).numpy()
