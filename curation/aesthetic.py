"""LAION's aesthetic heads on the image features of a CLIP ViT-L/14.

Version 1 is one linear layer, version 2 a stack of five without anything between them (their dropout does
nothing here), both on features of length 1. Sources: LAION-AI/aesthetic-predictor;
christophschuhmann/improved-aesthetic-predictor. Letters: D size of a feature.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from ..foreign_text import printable
from .weights import read_weights

PUBLISHED = "sa_0_4_vit_l_14_linear.pth or sac+logos+ava1-l14-linearMSE.pth"
STACK = (0, 2, 4, 6, 7)


class AestheticHead:
    """file: of either version. Raises ValueError in `setup` for what is neither."""

    def __init__(self, file: Path) -> None:
        self.file = Path(file)
        self.layers: list[tuple[torch.Tensor, torch.Tensor]] = []

    def setup(self) -> None:
        """Reads the weights."""
        found = read_weights(self.file, "the aesthetic score", PUBLISHED)
        names = [f"layers.{number}" for number in STACK] if "weight" not in found else [""]
        keys = [(f"{name}.weight".lstrip("."), f"{name}.bias".lstrip(".")) for name in names]
        if not all(key in found for pair in keys for key in pair) or len(found) != 2 * len(keys):
            raise ValueError(
                f"'{printable(self.file.name)}' holds none of LAION's aesthetic heads; get {PUBLISHED}."
            )
        self.layers = [(found[weight].float(), found[bias].float()) for weight, bias in keys]
        sizes = [weight.shape for weight, _ in self.layers]
        fits = all(before[0] == after[1] for before, after in zip(sizes, sizes[1:], strict=False))
        if not fits or sizes[-1][0] != 1:
            raise ValueError(
                f"the layers of '{printable(self.file.name)}' do not fit each other; get {PUBLISHED}."
            )

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Features (n, D) of length 1 as n scores, about 1 to 10. Raises ValueError for another D."""
        values = torch.from_numpy(np.asarray(features, np.float32))
        size = self.layers[0][0].shape[1]
        if values.shape[-1] != size:
            raise ValueError(
                f"the aesthetic head takes features of {size} numbers, and this CLIP gives"
                f" {values.shape[-1]}; use the CLIP ViT-L/14."
            )
        for weight, bias in self.layers:
            values = values @ weight.T + bias
        return values[:, 0].numpy()
