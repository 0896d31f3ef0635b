"""Short names of weights, equal where the weights are: a run goes on only with what it was begun on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

import torch

SAMPLES = 16
"""Numbers of each weight that are read: enough to tell two trainings apart, quick for a whole checkpoint."""


def weights_fingerprint(weights: Iterable[tuple[object, torch.Tensor]]) -> str:
    """Of weights by name: 12 hexadecimal digits, of their names, shapes and some numbers of each."""
    digest = hashlib.sha256()
    for name, weight in weights:
        flat = weight.detach().reshape(-1)
        some = flat[:: max(1, len(flat) // SAMPLES)][:SAMPLES].double().tolist()
        digest.update(f"{name} {tuple(weight.shape)} {some}".encode())
    return digest.hexdigest()[:12]


def model_fingerprint(model) -> str:
    """Of a MODEL (or another ModelPatcher): its own weights and the LoRAs on it, without what else has been
    done to it. The weights count as they are without LoRAs, wherever core holds them at the moment.
    """
    lora = hashlib.sha256()
    for key in sorted(model.patches):
        told = [(patch[0], patch[2], weights_fingerprint(_tensors(patch[1]))) for patch in model.patches[key]]
        lora.update(f"{key} {told}".encode())
    kept = {key: value.weight for key, value in model.backup.items()}
    own = weights_fingerprint(
        (key, kept.get(key, value))
        for key, value in model.model.state_dict().items()
        if not key.startswith("model_sampling.")  # that of whichever clone is loaded
    )
    return f"{own} with LoRAs {lora.hexdigest()[:12]}" if model.patches else own


def _tensors(patch) -> Iterator[tuple[str, torch.Tensor]]:
    """The tensors of a patch of core's: a tuple, or an adapter that holds one."""
    for number, part in enumerate(getattr(patch, "weights", patch)):
        if isinstance(part, torch.Tensor):
            yield str(number), part
        elif isinstance(part, tuple | list):
            yield from ((f"{number} {name}", tensor) for name, tensor in _tensors(part))
