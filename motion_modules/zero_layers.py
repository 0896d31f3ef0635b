"""Layers that add nothing until they are trained."""

from __future__ import annotations

from torch import nn


def start_at_zero(layer: nn.Module) -> None:
    """Sets weight and bias of a layer to zero, unless it is on the meta device and gets its numbers later."""
    if layer.weight.device.type != "meta":
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
