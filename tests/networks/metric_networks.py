"""Files of the networks that metrics compare features of, in their published size, with seeded values."""

from __future__ import annotations

import torch

from ..gold_weights import gold_tensor


def weights(build):
    """Seeded tensors under a network's names, through which values neither vanish nor explode."""
    with torch.device("meta"):
        shapes = {key: value.shape for key, value in build().state_dict().items()}
    made = {}
    for key, shape in shapes.items():
        if key.endswith("num_batches_tracked"):
            made[key] = torch.zeros((), dtype=torch.long)
        else:
            made[key] = gold_tensor(key, shape, 1.5) - int(key.endswith("running_mean"))
    return made
