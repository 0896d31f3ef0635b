"""Layers that add nothing until they are trained."""

from __future__ import annotations

from torch import nn


def start_at_zero(layer: nn.Module) -> None:
    """Sets a layer's weight, and its bias if it has one, to zero.

    Not on the meta device, where the layer gets its numbers later."""
    for parameter in (layer.weight, layer.bias):
        if parameter is not None and parameter.device.type != "meta":
            nn.init.zeros_(parameter)
