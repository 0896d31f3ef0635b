"""Optimisers by the name that a person chooses: torch's, and others where they are installed."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch

EIGHT_BIT = "AdamW 8-bit (bitsandbytes)"


def _eight_bit(parameters: Iterable[torch.nn.Parameter], lr: float, weight_decay: float):
    try:
        from bitsandbytes.optim import AdamW8bit  # noqa: PLC0415 - only where it is wanted
    except ImportError as error:
        raise ValueError(
            f"optimizer='{EIGHT_BIT}' needs the package bitsandbytes, which is not installed here; install it"
            " with 'pip install bitsandbytes', or choose AdamW."
        ) from error
    return AdamW8bit(parameters, lr=lr, weight_decay=weight_decay)


OPTIMISERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "AdamW": torch.optim.AdamW,
    "Adam": torch.optim.Adam,
    "Adafactor": torch.optim.Adafactor,
    "SGD": torch.optim.SGD,
    EIGHT_BIT: _eight_bit,
}
"""name -> (parameters, lr=, weight_decay=)."""
